// Loaded into a Node server by `--import`, with `--expose-gc`: answers each message of its parent with what it holds.
const { gc } = globalThis;
process.on('message', () => {
  for (let run = 0; run < 3; run += 1) gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  process.send?.({ heapUsed, external, rss });
});
// The server ends when its own work does.
process.channel?.unref();
