// What is compared with what, and which ratio it must not exceed.

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {string} load
 * @property {string} subject
 * @property {string} peer
 * @property {number} [target] highest ratio of CPU time per request; none where the ratio is only stated
 */

/** @type {Case[]} */
export const cases = [
  { name: 'control', load: 'grpc-unary', subject: 'rookery', peer: 'rookery' },
  { name: 'grpc-unary/grpc-go', load: 'grpc-unary', subject: 'rookery', peer: 'go-grpc', target: 0.5 },
  { name: 'grpc-unary/nest', load: 'grpc-unary', subject: 'rookery', peer: 'nest-grpc', target: 0.12 },
  { name: 'grpc-unary/grpc-js', load: 'grpc-unary', subject: 'rookery', peer: 'grpc-js' },
  { name: 'grpc-unary/gin', load: 'grpc-unary', subject: 'rookery', peer: 'go-gin' },
  { name: 'grpc-auth/nest', load: 'grpc-auth', subject: 'rookery', peer: 'nest-grpc' },
  { name: 'grpc-stream/grpc-js', load: 'grpc-stream', subject: 'rookery', peer: 'grpc-js', target: 0.5 },
  { name: 'grpc-64k/grpc-js', load: 'grpc-64k', subject: 'rookery', peer: 'grpc-js', target: 1 },
  { name: 'rest-get-h2/nest', load: 'rest-get-h2', subject: 'rookery', peer: 'nest-rest-h2', target: 0.6 },
  { name: 'rest-post-h2/nest', load: 'rest-post-h2', subject: 'rookery', peer: 'nest-rest-h2', target: 0.6 },
  { name: 'rest-post/nest', load: 'rest-post', subject: 'rookery', peer: 'nest-rest', target: 0.4 },
  { name: 'rest-post/gin', load: 'rest-post', subject: 'rookery', peer: 'go-gin' },
  { name: 'rest-get/gin', load: 'rest-get', subject: 'rookery', peer: 'go-gin' },
  { name: 'rest-get/nest', load: 'rest-get', subject: 'rookery', peer: 'nest-rest' },
  { name: 'metrics/grpc-unary', load: 'grpc-unary', subject: 'rookery', peer: 'rookery-uncounted' },
  { name: 'metrics/rest-get', load: 'rest-get', subject: 'rookery', peer: 'rookery-uncounted' },
  { name: 'rest-get/node-http', load: 'rest-get', subject: 'rookery', peer: 'node-http' },
];
