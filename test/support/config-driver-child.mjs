// Opens a driver for a configuration centre, closes it in the middle of something, and should end by itself then.
// Arguments: the folder of the built module, and what to do.
const [folder = '', text = '{}'] = process.argv.slice(2);
const { when, ...settings } = JSON.parse(text);
const { nacosDriver } = await import(`${folder}nacos-driver.js`);
const { NacosConfigOptions } = await import(`${folder}nacos-config.options.js`);

// Reading a hundred packages from the disk is not what is looked at, and cannot be broken off.
if (settings.transport === 'http') await import('nacos');

const driver = await nacosDriver(
  Object.assign(new NacosConfigOptions(), settings, { address: [settings.address] }),
  'test',
);
const { promise: changed, resolve: onContents } = Promise.withResolvers();

if (when !== 'loading') {
  const reading = driver.read(AbortSignal.timeout(60_000));
  if (when === 'watching' || when === 'changing') {
    await reading;
    driver.watch({ onContents, onFailure: () => {}, onRecovery: () => {} });
    await pause(300);
    console.log('ready');
    if (when === 'changing') await changed;
  } else {
    reading.catch(() => {});
    if (when !== 'reading') await pause(300);
  }
}
console.log('udp:', process.getActiveResourcesInfo().filter((kind) => kind.startsWith('UDP')).length);
console.log('closing');
await Promise.all([driver.close(), driver.close()]);

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
