// The floor of REST on Node: its own HTTP server with a fixed answer of the same size, no routing, no pipeline.
import { createServer } from 'node:http';

const data = {
  displayName: 'Alice',
  id: '1',
  email: 'alice@example.com',
  role: 'developer',
  age: 34,
  createdAt: '2026-01-01T00:00:00Z',
};
const found = JSON.stringify({ code: 200, data, message: 'success' });
const missing = JSON.stringify({ code: 404, data: null, message: 'not found' });

const server = createServer((request, response) => {
  const isFound = request.url === '/api/v1/users/1';
  const body = isFound ? found : missing;
  response.writeHead(isFound ? 200 : 404, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
});
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env['PORT']), '127.0.0.1');
process.on('SIGTERM', () => process.exit());
