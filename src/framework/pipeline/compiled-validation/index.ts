export { CompiledDto, type CompileOptions, Refused } from './compiled-dto.js';
export { NotCompilable } from './dto-plan.js';
export { messageSource, pipeSource, plainSource } from './value-source.js';
