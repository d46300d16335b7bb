// The floor of the ecosystem: Node's own HTTP server with a fixed answer of the same size as the service's.
import { createServer } from 'node:http';

const user = {
  displayName: 'Alice',
  id: '1',
  email: 'alice@example.com',
  role: 'developer',
  createdAt: '2026-01-01T00:00:00Z',
};
const body = JSON.stringify({ code: 200, data: user, message: 'success' });

const server = createServer((_request, response) => {
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
});
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('listening\n'));
