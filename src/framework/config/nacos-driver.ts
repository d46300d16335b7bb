import { readRegularFile } from '../core/index.js';
import { NacosOptionError, type NacosOptions, type NacosTls, parseNacosServer } from '../nacos/index.js';
import type { ConfigDriver } from './config.driver.js';
import { ConfigError } from './config.errors.js';
import { dataIdsOf, namespaceOf } from './data-id.js';
import { NacosGrpcDriver } from './drivers/nacos-grpc.js';
import { NacosHttpDriver } from './drivers/nacos-http.js';
import type { NacosConfigOptions, NacosTlsOptions } from './nacos-config.options.js';

/**
 * The driver that the settings ask for; it begins to connect.
 *
 * @param env name of the environment, which is in the names of the usual data ids
 * @throws ConfigError a setting that cannot be, a file that cannot be read
 */
export async function nacosDriver(options: NacosConfigOptions, env: string): Promise<ConfigDriver> {
  const dataIds = dataIdsOf(options, env);
  const connection = await connectionOf(options);
  try {
    const isHttp = options.transport === 'http';
    const Driver = isHttp ? NacosHttpDriver : NacosGrpcDriver;
    return new Driver({
      connection,
      dataIds,
      namespace: namespaceOf(options, dataIds),
      endpoints: connection.servers.map((server) => {
        const { host, port, grpcPort } = parseNacosServer(server);
        return { host, port: isHttp ? port : grpcPort };
      }),
    });
  } catch (error) {
    if (error instanceof NacosOptionError) throw ConfigError.of('nacos', error.message);
    throw error;
  }
}

async function connectionOf(options: NacosConfigOptions): Promise<NacosOptions> {
  const { address, namespace, username, password, contextPath, requestTimeoutMs, grpcPort } = options;
  const tls = await tlsOf(options.tls);
  return {
    servers: address.map((each) => ({ address: each, ...(grpcPort !== undefined && { grpcPort }) })),
    namespace,
    contextPath,
    requestTimeoutMs,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls !== undefined && { tls }),
  };
}

async function tlsOf({
  enabled,
  caFile,
  certFile,
  keyFile,
  serverName,
}: NacosTlsOptions): Promise<NacosTls | undefined> {
  if (!enabled) return undefined;
  const [ca, cert, key] = await Promise.all([
    pem('caFile', caFile),
    pem('certFile', certFile),
    pem('keyFile', keyFile),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { serverName }),
  };
}

// A bundle of all public authorities has a quarter of it.
const maxPemBytes = 1_048_576;

async function pem(setting: string, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    return (await readRegularFile(file, maxPemBytes)).toString();
  } catch {
    throw ConfigError.of(`nacos.tls.${setting}`, `${JSON.stringify(file)} (expected: a readable file)`);
  }
}
