/** What the service says to everybody: `greeting.text` of the configuration. */
export { GreetingModule } from './greeting.module.js';
