import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A wire between a client and a server, which can be cut as a wire is: neither end is told. */
export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #wire: { isCut: boolean; accepted: number };

  private constructor(server: Server, sockets: Set<Socket>, wire: { isCut: boolean; accepted: number }) {
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#sockets = sockets;
    this.#wire = wire;
  }

  static async start(target: number): Promise<TcpProxy> {
    const sockets = new Set<Socket>();
    const wire = { isCut: false, accepted: 0 };
    const keep = (socket: Socket): void => {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    };
    const server = createServer((near) => {
      wire.accepted += 1;
      keep(near);
      // Nobody is at the other end while the wire is cut, now or later.
      if (wire.isCut) return void near.resume();
      const far = connect(target, '127.0.0.1');
      keep(far);
      for (const [from, to] of [[near, far] as const, [far, near] as const]) {
        from.on('data', (bytes) => !wire.isCut && to.write(bytes));
        from.once('close', () => !wire.isCut && to.destroy());
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, sockets, wire);
  }

  /** Connections that were taken so far. */
  get accepted(): number {
    return this.#wire.accepted;
  }

  /** Nothing goes through any more, and nothing ends. */
  cut(): void {
    this.#wire.isCut = true;
  }

  /** New connections get through; those that were cut never come back. */
  mend(): void {
    this.#wire.isCut = false;
  }

  /** Nobody listens at the port any more. May be called twice. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** An address whose machine is off: nobody answers a connection, nobody refuses it. */
export class BlackHole {
  readonly #child: ChildProcess;
  readonly #sockets: Socket[];

  private constructor(child: ChildProcess, sockets: Socket[]) {
    this.#child = child;
    this.#sockets = sockets;
  }

  /** @param port that nobody listens at */
  static async open(port: number): Promise<BlackHole> {
    const program = `require('node:net').createServer().listen({ port: ${port}, host: '127.0.0.1', backlog: 1 }, () => console.log('up'))`;
    const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    // It never takes a connection again, and once its queue is full the kernel takes none for it.
    child.kill('SIGSTOP');
    const sockets: Socket[] = [];
    for (let isTaken = true; isTaken; ) {
      const socket = connect(port, '127.0.0.1').on('error', () => {});
      sockets.push(socket);
      isTaken = await Promise.race([
        once(socket, 'connect').then(() => true),
        new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 300)),
      ]);
    }
    return new BlackHole(child, sockets);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}
