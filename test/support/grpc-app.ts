import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import type { DescService } from '@bufbuild/protobuf';
import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  type INestApplicationContext,
  type Provider,
  type Type,
} from '@nestjs/common';
import { APP_FILTER, NestFactory } from '@nestjs/core';
import type { NestMicroservice } from '@nestjs/microservices';
import { Client, credentials } from '@grpc/grpc-js';
import { throwError } from 'rxjs';
import { type HealthSource, Lifecycle, LiveValue, type OperatorAccess } from '../../src/framework/core/index.js';
import { type CorsRules, GrpcOptions, GrpcServer, GrpcStrategy, GrpcWeb } from '../../src/framework/grpc/index.js';
import { Http1Connection, http1ConnectionOptions } from '../../src/framework/http1/index.js';
import {
  Http2Connection,
  type Http2ConnectionHandler,
  type Http2ConnectionOptions,
  http2ConnectionOptions,
  Http2Counters,
  Http2Headers,
} from '../../src/framework/http2/index.js';
import { HandlerSource, LimitOptions, RequestGate } from '../../src/framework/pipeline/index.js';

@Catch()
class RethrowFilter implements ExceptionFilter {
  catch(error: unknown, _host: ArgumentsHost): unknown {
    return throwError(() => error);
  }
}

/** What a test may set. */
export interface GrpcAppInit {
  readonly controllers?: readonly Type[];
  readonly providers?: readonly Provider[];
  readonly services?: readonly DescService[];
  readonly limits?: Partial<LimitOptions>;
  readonly options?: Partial<GrpcOptions>;
  readonly health?: HealthSource;
  readonly access?: OperatorAccess;
  readonly showsServices?: () => boolean;
  readonly http2?: Partial<Http2ConnectionOptions>;
  /** Which pages may call by gRPC-Web; none where it is not said. */
  readonly cors?: Partial<CorsRules>;
  /** Called before the handlers are bound. */
  readonly prepare?: (app: NestMicroservice, strategy: GrpcStrategy) => void;
}

/** A Nest application with the gRPC face on an HTTP/2 server of its own. */
export interface GrpcApp extends AsyncDisposable {
  readonly address: string;
  /** Where HTTP/1.1 is spoken, for gRPC-Web; HTTP/2 is at `address`. */
  readonly http1Address: string;
  readonly gate: RequestGate;
  readonly grpc: GrpcServer;
  readonly lifecycle: Lifecycle;
  readonly options: LiveValue<GrpcOptions>;
  readonly client: Client;
  readonly app: INestApplicationContext;
  /** Of all its connections. */
  readonly counters: Http2Counters;
  /** A plain HTTP/2 session, for what no gRPC client would send. */
  connect(): http2.ClientHttp2Session;
}

/** Starts one; dispose of it to stop it. Disposing fails when a call is left over. */
export async function startGrpcApp(init: GrpcAppInit): Promise<GrpcApp> {
  const lifecycle = new Lifecycle();
  const limits = new LiveValue<LimitOptions>(Object.assign(new LimitOptions(), init.limits));
  const options = new LiveValue<GrpcOptions>(Object.assign(new GrpcOptions(), { reflection: 'open' }, init.options));
  const gate = new RequestGate(lifecycle, limits);
  const { health, access, showsServices } = init;
  const grpc = new GrpcServer({ gate, lifecycle, limits, options, health, domain: 'test', access, showsServices });
  const cors = new LiveValue<CorsRules>({
    origins: [],
    headers: [],
    credentials: false,
    maxAgeSeconds: 600,
    ...init.cors,
  });
  const web = new GrpcWeb({ grpc, gate, cors });
  const strategy = new GrpcStrategy(grpc, init.services);
  class AppModule {}
  const app = await NestFactory.createMicroservice(
    {
      module: AppModule,
      controllers: [...(init.controllers ?? [])],
      providers: [{ provide: APP_FILTER, useClass: RethrowFilter }, ...(init.providers ?? [])],
    },
    { strategy, logger: false, abortOnError: false },
  );
  const handlers = await HandlerSource.of(app);
  if (handlers === undefined) throw new Error('Nest is built otherwise than expected');
  strategy.composeWith(handlers);
  init.prepare?.(app as NestMicroservice, strategy);
  await app.listen();
  const connections = new Set<Http2Connection>();
  const counters = new Http2Counters();
  const http2Options = http2ConnectionOptions(init.http2);
  const server = net.createServer((socket) => {
    const handler: Http2ConnectionHandler = {
      onStream(stream, head) {
        if (grpc.handles(head.headers.get('content-type'))) grpc.serve(stream, head);
        else if (web.handles(head)) web.serve(stream, head);
        else stream.respondOnly([{ name: ':status', value: '415' }]);
      },
      onClose: () => connections.delete(connection),
    };
    const connection = new Http2Connection(socket, http2Options, handler, counters);
    connections.add(connection);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const http1Connections = new Set<Http1Connection>();
  const http1 = net.createServer((socket) => {
    const connection: Http1Connection = new Http1Connection(socket, http1ConnectionOptions(), {
      onRequest(stream, { method, path, fields }) {
        const head = { method, path, headers: new Http2Headers(fields) };
        if (web.handles(head)) web.serve(stream, head);
        else stream.respondOnly([{ name: ':status', value: '404' }]);
      },
      onRefused: (stream, { status }) => stream.respondOnly([{ name: ':status', value: String(status) }]),
      onUpgrade: () => false,
      onClose: () => http1Connections.delete(connection),
    });
    http1Connections.add(connection);
  });
  await new Promise<void>((resolve) => http1.listen(0, '127.0.0.1', resolve));
  const addressOf = (of: net.Server): string => `127.0.0.1:${(of.address() as AddressInfo).port}`;
  const address = addressOf(server);
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_channelz': 0 });
  const raw = new Set<http2.ClientHttp2Session>();
  return {
    address,
    http1Address: addressOf(http1),
    gate,
    grpc,
    lifecycle,
    options,
    client,
    app,
    counters,
    connect() {
      const session = http2.connect(`http://${address}`);
      session.on('error', () => {});
      raw.add(session);
      return session;
    },
    async [Symbol.asyncDispose]() {
      client.close();
      for (const session of raw) session.destroy();
      for (const connection of connections) connection.destroy();
      await app.close();
      for (const connection of http1Connections) connection.destroy();
      await new Promise((resolve) => http1.close(resolve));
      await new Promise((resolve) => server.close(resolve));
      await new Promise((resolve) => setImmediate(resolve));
      if (grpc.activeCalls !== 0) throw new Error(`calls left over: ${grpc.activeCalls}`);
      if (lifecycle.inFlight !== 0) throw new Error(`requests left over: ${lifecycle.inFlight}`);
    },
  };
}
