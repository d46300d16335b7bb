// Who may import whom. `layers` is the table; adding an edge is an edit of it, seen in review.
/** @typedef {import('dependency-cruiser').IForbiddenRuleType} Rule */
import manifest from './package.json' with { type: 'json' };

/** Folders of src/framework from the bottom up: each may import lower layers only, never its own. */
export const layers = [
  ['wire'],
  ['core', 'http1', 'http2', 'nacos'],
  [
    'config',
    'telemetry',
    'health',
    'resilience',
    'discovery',
    'auth',
    'quota',
    'features',
    'cache',
    'queue',
    'pipeline',
  ],
  ['http', 'grpc', 'serving'],
  ['transcoding', 'server'],
  ['testing'],
];

/** Folders of src/framework that may use the code generated from proto/. */
const usesGenerated = ['nacos', 'health', 'pipeline', 'http', 'grpc', 'testing'];

/** Packages with state or a wire of their own, and the only places that may import them. */
const confined = [
  { packages: ['@grpc/grpc-js', '@grpc/proto-loader'], where: '^src/framework/(?:grpc/client|nacos/)', why: 'clients' },
  { packages: ['nacos'], where: '^src/framework/config/drivers/', why: 'the driver' },
  { packages: ['kysely', 'pg'], where: '^src/service/', why: 'the service' },
];

/** Peers that a user may not have. */
const optionalPeers = Object.keys(manifest.peerDependenciesMeta);

/** What knows Nest, and so has no place in the bottom layer, which is tested and measured alone. */
const nestWorld = '^(?:@nestjs/|rxjs|reflect-metadata|class-validator|class-transformer|@?fastify|nestjs-pino|pino)';

const tests = '[.](?:e2e-)?spec[.]ts$';

/** @param {readonly string[]} names */
const oneOf = (names) => `(?:${names.join('|')})`;

/** Resolved names of packages begin with the folder that npm put them in. */
const inModules = (/** @type {readonly string[]} */ names) =>
  `(?:^|/)node_modules/${oneOf(names)}(?:/|$)|^${oneOf(names)}(?:/|$)`;

/** @type {Rule[]} */
const upward = layers.map((names, layer) => ({
  name: `layer-${layer}-imports-lower-layers-only`,
  severity: 'error',
  from: { path: `^src/framework/(${names.join('|')})/` },
  to: { path: `^src/framework/(?:${layers.slice(layer).flat().join('|')})/`, pathNot: '^src/framework/$1/' },
}));

/** @type {Rule[]} */
const confinement = confined.map(({ packages, where, why }) => ({
  name: `only-in-${why.replaceAll(/[^a-z]+/g, '-')}`,
  comment: `${packages.join(', ')}: ${why}, and nowhere else`,
  severity: 'error',
  from: { path: '^src/', pathNot: [where, tests] },
  to: { path: inModules(packages) },
}));

/** @type {Rule[]} */
const shape = [
  {
    name: 'front-door-only',
    comment: 'a neighbour is imported through its index.ts; what is not there is not for others',
    severity: 'error',
    from: { path: '^src/framework/([^/]+)/' },
    to: { path: '^src/framework/[^/]+/.+', pathNot: ['^src/framework/$1/', '^src/framework/[^/]+/index[.]ts$'] },
  },
  {
    name: 'package-door-imports-front-doors',
    severity: 'error',
    from: { path: '^src/framework/index[.]ts$' },
    to: { path: '^src/framework/[^/]+/.+', pathNot: '^src/framework/[^/]+/index[.]ts$' },
  },
  {
    name: 'package-door-is-for-users',
    comment: 'the framework does not import its own package door, except for testing/, which is a user of it',
    severity: 'error',
    from: { path: '^src/framework/[^/]+/', pathNot: '^src/framework/testing/' },
    to: { path: '^src/framework/index[.]ts$' },
  },
  {
    name: 'no-own-barrel',
    comment: 'a module does not import its own index.ts: that hides cycles',
    severity: 'error',
    from: { path: '^src/framework/([^/]+)/', pathNot: tests },
    to: { path: '^src/framework/$1/index[.]ts$' },
  },
  {
    name: 'no-own-barrel-in-the-service',
    severity: 'error',
    from: { path: '^src/service/([^/]+)/', pathNot: tests },
    to: { path: '^src/service/$1/index[.]ts$' },
  },
  {
    name: 'no-cycles',
    comment: 'with decorator metadata a cycle is a ReferenceError at load',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'every-folder-has-a-layer',
    severity: 'error',
    from: { path: '^src/framework/[^/]+/', pathNot: `^src/framework/${oneOf(layers.flat())}/` },
    to: {},
  },
];

/** @type {Rule[]} */
const rooms = [
  {
    name: 'framework-knows-no-service',
    severity: 'error',
    from: { path: '^src/framework/' },
    to: { path: '^src/(?:service/|main[.]ts)' },
  },
  {
    name: 'framework-imports-itself-by-path',
    comment: 'by name it would be one more copy of itself in the published package',
    severity: 'error',
    from: { path: '^src/framework/' },
    to: { path: '^(?:src/framework|dist)/', dependencyTypes: ['aliased-tsconfig-paths'] },
  },
  {
    name: 'service-imports-the-package-by-name',
    comment: 'as a stranger would: what it cannot reach by name is missing from the API',
    severity: 'error',
    from: { path: '^src/(?:service/|main[.]ts)' },
    to: { path: '^src/framework/', dependencyTypesNot: ['aliased-tsconfig-paths'] },
  },
  {
    name: 'generated-code-where-it-belongs',
    severity: 'error',
    from: { path: '^src/framework/', pathNot: `^src/framework/${oneOf(usesGenerated)}/` },
    to: { path: '^src/gen/' },
  },
  {
    name: 'product-imports-no-test',
    severity: 'error',
    from: { path: '^src/', pathNot: tests },
    to: { path: `${tests}|^(?:test|bench|scripts)/` },
  },
  {
    name: 'bench-stands-alone',
    severity: 'error',
    from: { path: '^(?:src|test)/' },
    to: { path: '^bench/' },
  },
];

/** @type {Rule[]} */
const packages = [
  {
    name: 'bottom-layer-knows-no-nest',
    severity: 'error',
    from: { path: `^src/framework/${oneOf(layers.slice(0, 2).flat())}/`, pathNot: tests },
    to: { path: nestWorld.replace('^', '(?:^|/)node_modules/') },
  },
  {
    name: 'bottom-layer-imports-node-only',
    comment: 'nacos/ alone may use more: its messages and a gRPC client',
    severity: 'error',
    from: { path: '^src/framework/(?:core|http1|http2)/', pathNot: tests },
    to: { dependencyTypesNot: ['core', 'local'] },
  },
  {
    name: 'only-in-the-service-node-sqlite',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/service/', tests] },
    to: { path: '^(?:node:)?sqlite$' },
  },
  {
    name: 'nothing-unresolved',
    severity: 'error',
    from: {},
    to: { couldNotResolve: true, pathNot: '^(?:node:)?sqlite$' },
  },
  {
    name: 'declared-packages-only',
    comment: 'the published package must find at run time what it imports',
    severity: 'error',
    from: { path: '^src/framework/', pathNot: tests },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['npm-peer'] },
  },
  {
    name: 'optional-peers-are-loaded-late',
    comment: 'by import() when they are used, so that who has none can start; testing/ is for those who have it',
    severity: 'error',
    from: { path: '^src/framework/', pathNot: ['^src/framework/testing/', tests] },
    to: { path: inModules(optionalPeers), dynamic: false, dependencyTypesNot: ['type-only'] },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [...upward, ...shape, ...rooms, ...confinement, ...packages],
  options: {
    doNotFollow: { path: 'node_modules|^dist/' },
    // Types count: an import of a type is knowledge of a neighbour too.
    tsPreCompilationDeps: true,
    // The one with the aliases: `rookery/…` is seen as the source behind that door.
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
      extensions: ['.ts', '.js', '.mjs', '.json'],
    },
    skipAnalysisNotInRules: true,
  },
};
