// docs/options.md: every setting, from the classes themselves: their decorators, defaults and docstrings.
import { classesIn, declarationsBelow, declarationsOf, load, membersOf, table } from './docs-declarations.mjs';

/** @typedef {new () => Record<string, unknown>} OptionsClass */
/** @typedef {{ name: string, text: string, members: ReturnType<typeof membersOf>, options: OptionsClass, file: string }} Declared */
/** @typedef {{ name?: string, type: string, each: boolean, constraints?: unknown[], constraintCls: unknown, propertyName: string }} Rule */

const HEAD = ['setting', 'type', 'default', 'rules', 'environment', 'change', 'meaning'];

/** @type {Record<string, (constraints: any[]) => string>} */
const RULES = {
  isInt: () => 'integer',
  isNumber: () => 'number',
  isString: () => '',
  isBoolean: () => '',
  isArray: () => '',
  isDefined: () => '',
  conditionalValidation: () => '',
  isOptional: () => '',
  nestedValidation: () => '',
  isNotEmpty: () => 'not empty',
  isUrl: () => 'URL',
  matches: ([pattern]) => `matches \`${pattern}\``,
  min: ([min]) => `≥ ${min}`,
  max: ([max]) => `≤ ${max}`,
  minLength: ([min]) => `${min} characters or more`,
  maxLength: ([max]) => `${max} characters at most`,
  arrayNotEmpty: () => 'one or more',
  arrayUnique: () => 'each once',
  isLength: ([min, max]) => `${min} – ${max} characters`,
  arrayMaxSize: ([max]) => `${max} at most`,
  isIn: ([values]) => `one of ${values.map((/** @type {unknown} */ value) => `\`${String(value)}\``).join(', ')}`,
};

/**
 * @param {string} build folder of the compiled code
 * @returns {Promise<{ page: string, problems: string[] }>}
 */
export async function optionsPage(build) {
  const writer = await OptionsWriter.open(build);
  return writer.page();
}

class OptionsWriter {
  /** @type {Map<OptionsClass, Declared>} */
  #classes = new Map();
  /** @type {Set<OptionsClass>} */
  #nested = new Set();
  /** @type {string[]} */
  #problems = [];

  /** @param {string} build */
  static async open(build) {
    const writer = new OptionsWriter();
    await import('reflect-metadata');
    const files = declarationsBelow(build, /\.(options|config)\.d\.ts$/);
    for (const path of files) await writer.#read(path, path.slice(build.length + 1));
    const { getMetadataStorage } = await import('class-validator');
    // Not part of its front door, but the only place where it keeps what @Type() says.
    // @ts-expect-error has no declarations
    const { defaultMetadataStorage } = await import('class-transformer/cjs/storage.js');
    const core = await load(`${build}/framework/core/index`);
    const texts = await load(`${build}/framework/config/text-layers`);
    writer.tools = /** @type {any} */ ({
      storage: getMetadataStorage(),
      types: defaultMetadataStorage,
      ...core,
      ...texts,
    });
    return writer;
  }

  /** @type {any} */
  tools;

  /** @param {string} path @param {string} file */
  async #read(path, file) {
    const module = await load(path);
    for (const { name, text, body } of classesIn(declarationsOf(path))) {
      const options = /** @type {OptionsClass} */ (module[name]);
      if (typeof options === 'function')
        this.#classes.set(options, { name, text, members: membersOf(body), options, file });
    }
  }

  page() {
    const sections = [...this.#classes.values()].map((declared) => ({ declared, prefix: this.#prefixOf(declared) }));
    const rows = new Map(
      sections.map((section) => [section, section.prefix ? this.#rows(section.prefix, section.declared, false) : []]),
    );
    const shown = sections
      .filter(({ declared, prefix }) => prefix && !this.#nested.has(declared.options))
      .toSorted((a, b) => (a.prefix < b.prefix ? -1 : 1));
    for (const { declared, prefix } of sections) {
      if (!prefix && !this.#nested.has(declared.options)) {
        this.#problems.push(
          `${declared.name} (${declared.file}) says nowhere which section it reads (expected: @ConfigPrefix)`,
        );
      }
    }
    /** @param {string} folder */
    const part = (folder) =>
      shown
        .filter(({ declared }) => declared.file.startsWith(folder))
        .map((section) => {
          const settings = rows.get(section) ?? [];
          const head = `### \`${section.prefix}\`\n\n${section.declared.text}`;
          // Keys of features come from the code of a service.
          return settings.length === 0 ? head : `${head}\n\n${table(HEAD, settings)}`;
        })
        .join('\n\n');
    return { page: pageOf(part('framework'), part('service'), this.tools.shortVariables), problems: this.#problems };
  }

  /** @param {Declared} declared */
  #prefixOf({ options, text }) {
    return this.tools.configPrefixOf(options) ?? /section `([\w.]+)`/.exec(text)?.[1] ?? '';
  }

  /**
   * @param {string} prefix
   * @param {Declared} declared
   * @param {boolean} isFixed what holds it is taken over by a restart only
   * @returns {string[][]}
   */
  #rows(prefix, { name, options, members, file }, isFixed) {
    const defaults = new options();
    const rules = /** @type {Rule[]} */ (this.tools.storage.getTargetValidationMetadatas(options, '', false, false));
    const properties = [...new Set([...members.keys(), ...Object.keys(defaults)])];
    return properties.flatMap((property) => {
      const member = members.get(property) ?? { text: '', type: '' };
      const own = rules.filter(({ propertyName }) => propertyName === property);
      const path = `${prefix}.${property}`;
      const needsRestart = isFixed || this.tools.needsRestart(options, property);
      const nested = this.#nestedClass(options, property, defaults[property]);
      if (nested !== undefined) {
        this.#nested.add(nested.options);
        const isList = own.some(({ each, type }) => each && type === 'nestedValidation');
        return this.#rows(isList ? `${path}[]` : path, nested, needsRestart);
      }
      if (member.text === '')
        this.#problems.push(`${name}.${property} (${file}) has no docstring: its meaning is missing`);
      return [
        this.#row({
          path,
          member,
          own,
          value: defaults[property],
          needsRestart,
          isSecret: this.tools.isSecretOption(options, property),
          local: this.tools.localDefaultsOf(options).get(property),
        }),
      ];
    });
  }

  /** @param {OptionsClass} options @param {string} property @param {unknown} value */
  #nestedClass(options, property, value) {
    const typed = this.tools.types.findTypeMetadata(options, property)?.typeFunction();
    const held = Array.isArray(value) ? value[0] : value;
    return this.#classes.get(typed) ?? this.#classes.get(/** @type {OptionsClass} */ (held?.constructor));
  }

  /** @param {{ path: string, member: { text: string, type: string }, own: Rule[], value: unknown, needsRestart: boolean, isSecret: boolean, local: unknown }} option */
  #row({ path, member, own, value, needsRestart, isSecret, local }) {
    const variable = path.includes('[]') ? '' : `\`${this.tools.variableOf(path)}\``;
    const short = Object.entries(this.tools.shortVariables).find(([, target]) => target === path)?.[0];
    const meaning = member.text + (isSecret ? ' Never printed.' : '');
    return [
      `\`${path}\``,
      typeText(member.type),
      defaultText(value, local),
      this.#ruleText(own),
      short === undefined ? variable : `\`${short}\`, ${variable}`,
      needsRestart ? 'restart' : 'live',
      meaning,
    ];
  }

  /** @param {Rule[]} rules */
  #ruleText(rules) {
    // Decorators are applied from the bottom up; people read from the top down.
    const texts = rules.toReversed().map((rule) => {
      const known = RULES[rule.name ?? rule.type];
      const text = known === undefined ? this.#message(rule) : known(rule.constraints ?? []);
      return text !== '' && rule.each ? `each ${text}` : text;
    });
    return [...new Set(texts.filter((text) => text !== ''))].join(', ').replace(/≥ (\S+), ≤ (\S+)/, '$1 – $2');
  }

  /** @param {Rule} rule the message of a rule of one's own, after "must" */
  #message(rule) {
    const [constraint] = this.tools.storage.getTargetValidatorConstraints(rule.constraintCls);
    const message = String(
      constraint?.instance.defaultMessage?.({ constraints: rule.constraints ?? [], property: '$property' }) ??
        rule.name,
    );
    return message
      .replace(/^(each value in )?\$property (must be|must|should be|should) /, '')
      .replace(/\$constraint(\d)/g, (_, number) => String(rule.constraints?.[Number(number) - 1]));
  }
}

/** @param {unknown} value @param {unknown} local the default in development and test, where it is another one */
function defaultText(value, local) {
  if (value === undefined) return 'none';
  const text = `\`${JSON.stringify(value)}\``;
  return local === undefined ? text : `${text}; \`${JSON.stringify(local)}\` in development and test`;
}

/** @param {string} type as TypeScript has it */
function typeText(type) {
  const text = type.replace(/\b(readonly |\| undefined)/g, '').trim();
  if (/^['"]/.test(text)) return 'text';
  return (
    { string: 'text', 'string[]': 'list of texts', 'number[]': 'list of numbers', boolean: 'true, false' }[text] ??
    (/^[A-Z]\w*$/.test(text) ? 'text' : text.startsWith('(') ? 'list of texts' : text)
  );
}

/** @param {string} framework @param {string} service @param {Record<string, string>} short */
function pageOf(framework, service, short) {
  const shortText = Object.entries(short)
    .map(([name, path]) => `\`${name}\` (\`${path}\`)`)
    .join(', ');
  return `<!-- Generated from the options classes by scripts/generate-docs.mjs. Do not edit. -->

# Options

Layers, later wins: these defaults, \`config/application.yaml\`, \`config/application-<env>.yaml\` (\`ROOKERY_ENV\`; without it
\`production\` where \`NODE_ENV\` is set to something else than \`development\` and \`test\`, else \`development\`), the environment, \`--set path=value\`. Mappings are merged key by key, lists and scalars replaced, \`null\`
removes. In the environment lists are separated by commas, lists of mappings are JSON, and an empty variable counts as
not set. Short names: ${shortText}. An unknown key of a section, or a value against the rules,
stops the start with exit code 1 and one line per problem; a section that nothing reads is warned of.

\`change\` tells whether a changed value is taken over while the process runs (\`live\`) or by the next start (\`restart\`).

## Framework

${framework}

## Reference service

${service}
`;
}
