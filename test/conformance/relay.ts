// What the suite takes for the server under test: it hands the suite's request to the process that serves, and the answer
// back. When the suite ends it, the connection ends, and with it the service.
import { connect } from 'node:net';

const socket = connect(Number(process.env['CONFORMANCE_PORT']), '127.0.0.1');
process.stdin.on('data', (chunk: Buffer) => socket.write(chunk));
socket.on('data', (chunk) => process.stdout.write(chunk));
socket.on('close', () => process.exit(1));
process.on('SIGTERM', () => process.exit(0));
