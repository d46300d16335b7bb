import 'reflect-metadata';
import type { DescMethod } from '@bufbuild/protobuf';
import {
  Body,
  Controller,
  Delete,
  Get,
  Header,
  Headers,
  HttpCode,
  Module,
  Param,
  Patch,
  Post,
  Query,
  SetMetadata,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { ApiNotFoundResponse, ApiOkResponse, ApiOperation, ApiProperty } from '@nestjs/swagger';
import { Test } from '@nestjs/testing';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsEmail,
  IsEnum,
  IsIn,
  IsInt,
  IsNumber,
  IsNumberString,
  IsObject,
  IsOptional,
  IsPositive,
  IsString,
  IsUrl,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { NEVER, type Observable } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserService } from '../../../gen/user/service/v1/user_pb.js';
import { Public, Roles, Scopes } from '../../auth/index.js';
import { metadataKeys } from '../../core/index.js';
import { Input } from '../../pipeline/index.js';
import { Raw } from '../raw.decorator.js';
import { registerApiDocs } from './register-api-docs.js';
import type { ApiDocument, Operation, Schema } from './schema.js';

const implementsRpc = (method: DescMethod): MethodDecorator => SetMetadata(metadataKeys.rpc, method);

class GetUserInput {
  @IsNumberString()
  @Matches(/^[1-9]\d*$/)
  readonly id!: string;
}

class ListUsersInput {
  @IsInt()
  @Min(0)
  @Max(100)
  readonly pageSize!: number;

  @IsString()
  readonly pageToken!: string;
}

class CreateUserInput {
  @ApiProperty({ description: 'Name shown to others', example: 'Alice' })
  @Length(1, 100)
  readonly displayName!: string;

  @IsEmail()
  readonly email!: string;

  @IsIn(['developer', 'operator', 'viewer'])
  readonly role!: string;

  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(150)
  readonly age?: number;
}

class UpdateMask {
  @IsArray()
  readonly paths!: string[];
}

class UpdateUserInput {
  @IsNumberString()
  readonly id!: string;

  @ApiProperty({ description: 'The new name' })
  @IsOptional()
  @Length(1, 100)
  readonly displayName?: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => UpdateMask)
  readonly updateMask?: UpdateMask;
}

@Controller('users')
class UsersController {
  @Get(':id')
  @Public()
  @implementsRpc(UserService.method.getUser)
  getUser(@Input() input: GetUserInput): Promise<unknown> {
    return Promise.resolve(input);
  }

  @Get()
  @Public()
  @implementsRpc(UserService.method.listUsers)
  listUsers(@Input() input: ListUsersInput): Promise<unknown> {
    return Promise.resolve(input);
  }

  @Post()
  @Scopes('users:write')
  @implementsRpc(UserService.method.createUser)
  createUser(@Input() input: CreateUserInput): Promise<unknown> {
    return Promise.resolve(input);
  }

  @Patch(':id')
  @Scopes('users:write')
  @Roles('operator', 'developer')
  @ApiOperation({ summary: 'Changes a user', description: 'Fields that are present change.' })
  @implementsRpc(UserService.method.updateUser)
  updateUser(@Input() input: UpdateUserInput): Promise<unknown> {
    return Promise.resolve(input);
  }

  @Delete(':id')
  @implementsRpc(UserService.method.deleteUser)
  deleteUser(@Input() input: GetUserInput): Promise<unknown> {
    return Promise.resolve(input);
  }

  @Get('changes/all')
  @implementsRpc(UserService.method.watchUsers)
  async *watchUsers(): AsyncGenerator {}
}

enum Colour {
  Red = 'red',
  Green = 'green',
}

class PartInput {
  @Length(1, 30)
  @MaxLength(20)
  readonly name!: string;

  @IsOptional()
  @ValidateNested({ each: true })
  @Type(() => PartInput)
  readonly parts?: PartInput[];
}

class ThingInput {
  @IsUUID()
  readonly id!: string;

  @IsEnum(Colour)
  readonly colour!: Colour;

  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(5)
  @ArrayUnique()
  @IsString({ each: true })
  @Length(2, 8, { each: true })
  readonly tags!: string[];

  @IsObject()
  @ValidateNested()
  @Type(() => PartInput)
  readonly main!: PartInput;

  @IsNumber()
  @IsPositive()
  readonly weight!: number;

  @IsOptional()
  @IsUrl()
  readonly link?: string;

  @Matches(/^[a-z]+$/i)
  @Matches(/^\p{L}/u)
  @Matches(/^[^é]+$/u)
  readonly code!: string;

  @ValidateBy({ name: 'isOdd', validator: { validate: (value) => Number(value) % 2 === 1 } })
  readonly odd!: number;

  @IsBoolean()
  readonly isPublished: boolean = false;
}

class PageQuery {
  @IsOptional()
  @Type(() => Number)
  @IsInt()
  @Min(1)
  readonly page?: number;

  @IsString()
  readonly sort!: string;
}

class PlaceParams {
  @IsUUID()
  readonly id!: string;

  @IsString()
  readonly elsewhere!: string;
}

class ThingView {
  @ApiProperty()
  readonly id!: string;
}

@Controller('things')
class ThingsController {
  @Post()
  make(@Body() thing: ThingInput): string {
    return thing.id;
  }

  @Post(':box/by-input')
  put(@Input() thing: ThingInput): void {
    void thing;
  }

  @Get(':id')
  @ApiOkResponse({ type: ThingView })
  @ApiNotFoundResponse({ description: 'No such thing' })
  show(@Param('id') id: string, @Query() query: PageQuery): Promise<ThingView> {
    return Promise.resolve({ id, ...query });
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Param() _place: PlaceParams, @Query() _any: Record<string, string>, @Headers() _headers: object): void {}

  @Get('wrapped/already')
  @ApiOkResponse({ schema: { type: 'object', properties: { code: {}, data: {}, message: {} } } })
  wrapped(): object {
    return {};
  }

  @Get(':id/file')
  @Raw()
  file(@Param('id') _id: string): StreamableFile {
    return new StreamableFile(Buffer.alloc(0));
  }

  @Get(':id/picture')
  @Raw()
  @Header('Content-Type', 'image/png')
  picture(@Param('id') _id: string): Buffer {
    return Buffer.alloc(0);
  }

  @Get('events/all')
  @Public()
  @Sse()
  events(): Observable<never> {
    return NEVER;
  }
}

@Controller('alive')
@Public()
@Raw()
@SetMetadata(metadataKeys.probe, true)
class ProbeController {
  @Get()
  alive(): object {
    return {};
  }
}

@Module({ controllers: [UsersController, ThingsController, ProbeController] })
class AppModule {}

let app: NestFastifyApplication;
let document: ApiDocument;

beforeAll(async () => {
  const module = await Test.createTestingModule({ imports: [AppModule] }).compile();
  app = module.createNestApplication<NestFastifyApplication>(new FastifyAdapter(), { logger: false });
  app.setGlobalPrefix('api/v1');
  await registerApiDocs(app, { title: 'things & <users>', version: '1.2.3' });
  await app.init();
  await app.getHttpAdapter().getInstance().ready();
  document = (await app.inject('/openapi.json')).json();
});

afterAll(() => app.close());

function operation(method: string, path: string): Operation {
  const found = document.paths[`/api/v1${path}`]?.[method];
  if (found === undefined) throw new Error(`${method} ${path}: not in ${Object.keys(document.paths).join(' ')}`);
  return found;
}

function bodySchema(found: Operation): Schema {
  const schema = found.requestBody?.content['application/json']?.schema;
  const name = schema?.$ref?.replace('#/components/schemas/', '');
  return (name === undefined ? schema : document.components.schemas[name]) ?? {};
}

function dataSchema(found: Operation, status = '200'): Schema | undefined {
  return found.responses[status]?.content?.['application/json']?.schema?.properties?.['data'];
}

describe('the API description', () => {
  it('is a valid OpenAPI document', async () => {
    const result = await new Validator().validate(structuredClone(document) as object as Record<string, unknown>);

    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('says what it describes', () => {
    expect(document).toMatchObject({
      info: { title: 'things & <users>', version: '1.2.3' },
      servers: [{ url: '/' }],
      security: [{ bearer: [] }],
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    });
  });

  it('names every operation once, RPCs by their service and method', () => {
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));

    expect(operations).toHaveLength(15);
    expect(operations.map((one) => one.operationId)).toEqual(
      expect.arrayContaining([
        'ProbeController_alive',
        'ThingsController_events',
        'ThingsController_file',
        'ThingsController_make',
        'ThingsController_picture',
        'ThingsController_put',
        'ThingsController_remove',
        'ThingsController_show',
        'ThingsController_wrapped',
        'UserService_CreateUser',
        'UserService_DeleteUser',
        'UserService_GetUser',
        'UserService_ListUsers',
        'UserService_UpdateUser',
        'UserService_WatchUsers',
      ]),
    );
    expect(operation('get', '/users/{id}')).toMatchObject({
      tags: ['Users'],
      'x-grpc-method': 'user.service.v1.UserService/GetUser',
    });
    expect(JSON.stringify(document)).not.toContain('x-rookery-handler');
  });
});

describe('the description of an @Input()', () => {
  it('takes path parameters from the route', () => {
    expect(operation('get', '/users/{id}').parameters).toEqual([
      {
        name: 'id',
        in: 'path',
        required: true,
        schema: {
          type: 'string',
          format: 'int64',
          pattern: '^-?[0-9]+$',
          allOf: [{ pattern: '^[1-9]\\d*$' }, { pattern: '^[+-]?([0-9]*\\.)?[0-9]+$' }],
        },
      },
    ]);
  });

  it('takes the rest from the query where the method has no body, with the types of the message', () => {
    expect(operation('get', '/users').parameters).toEqual([
      {
        name: 'pageSize',
        in: 'query',
        required: false,
        schema: { type: 'integer', format: 'int32', minimum: 0, maximum: 100 },
      },
      { name: 'pageToken', in: 'query', required: false, schema: { type: 'string' } },
    ]);
    expect(operation('get', '/users').requestBody).toBeUndefined();
  });

  it('takes the rest from the body where there is one; what a zero value breaks is required', () => {
    const found = operation('post', '/users');

    expect(found.parameters).toBeUndefined();
    expect(found.requestBody).toEqual({
      required: true,
      content: { 'application/json': { schema: { $ref: '#/components/schemas/CreateUserInput' } } },
    });
    expect(bodySchema(found)).toEqual({
      type: 'object',
      properties: {
        displayName: {
          type: 'string',
          minLength: 1,
          maxLength: 100,
          description: 'Name shown to others',
          example: 'Alice',
        },
        email: { type: 'string', format: 'email' },
        role: { type: 'string', enum: ['developer', 'operator', 'viewer'] },
        age: { type: 'integer', format: 'int32', minimum: 0, maximum: 150 },
      },
      required: ['displayName', 'email', 'role'],
      additionalProperties: false,
    });
  });

  it('splits path and body, and writes protobuf types in their JSON form', () => {
    const found = operation('patch', '/users/{id}');

    expect(found.parameters?.map(({ name, in: place }) => [place, name])).toEqual([['path', 'id']]);
    expect(bodySchema(found)).toEqual({
      type: 'object',
      properties: {
        displayName: { type: 'string', minLength: 1, maxLength: 100, description: 'The new name' },
        updateMask: { type: 'string', description: 'Field names separated by commas.' },
      },
      additionalProperties: false,
    });
  });

  it('shares no schema that nothing refers to', () => {
    expect(Object.keys(document.components.schemas)).toContain('CreateUserInput');
    expect(Object.keys(document.components.schemas)).not.toContain('UpdateUserInput');
  });

  it('goes by the types of the class where there is no message', () => {
    const found = operation('post', '/things/{box}/by-input');

    expect(found.parameters).toEqual([{ name: 'box', in: 'path', required: true, schema: { type: 'string' } }]);
    expect(bodySchema(found)).toEqual(bodySchema(operation('post', '/things')));
  });
});

describe("the description of Nest's own parameters", () => {
  it('has the rules of a body class, nested and recursive ones too', () => {
    expect(bodySchema(operation('post', '/things'))).toEqual({
      type: 'object',
      properties: {
        id: { type: 'string', format: 'uuid' },
        colour: { type: 'string', enum: ['red', 'green'] },
        tags: {
          type: 'array',
          minItems: 1,
          maxItems: 5,
          uniqueItems: true,
          items: { type: 'string', minLength: 2, maxLength: 8 },
        },
        main: { $ref: '#/components/schemas/PartInput' },
        weight: { type: 'number', minimum: 0, exclusiveMinimum: true },
        link: { type: 'string', format: 'uri' },
        code: { type: 'string', pattern: '^[^é]+$', 'x-rules': ['matches /^\\p{L}/u', 'matches /^[a-z]+$/i'] },
        odd: { type: 'number', 'x-rules': ['isOdd'] },
        isPublished: { type: 'boolean', default: false },
      },
      required: ['id', 'colour', 'tags', 'main', 'weight', 'code', 'odd'],
      additionalProperties: false,
    });
    expect(document.components.schemas['PartInput']).toEqual({
      type: 'object',
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 20 },
        parts: { type: 'array', items: { $ref: '#/components/schemas/PartInput' } },
      },
      required: ['name'],
      additionalProperties: false,
    });
  });

  it('spreads a query class over parameters', () => {
    expect(operation('get', '/things/{id}').parameters).toEqual([
      { name: 'id', in: 'path', required: true, schema: { type: 'string' } },
      { name: 'page', in: 'query', required: false, schema: { type: 'integer', minimum: 1 } },
      { name: 'sort', in: 'query', required: true, schema: { type: 'string' } },
    ]);
  });
});

describe('the description of a path class', () => {
  it('has what the path has room for', () => {
    expect(operation('delete', '/things/{id}').parameters).toEqual([
      { name: 'id', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } },
    ]);
  });
});

describe('the description of answers', () => {
  it("wraps the RPC's message in the envelope, with the HTTP status as code", () => {
    expect(operation('post', '/users').responses['201']?.content).toEqual({
      'application/json': {
        schema: {
          type: 'object',
          required: ['code', 'data', 'message'],
          properties: {
            code: { type: 'integer', enum: [201] },
            data: { $ref: '#/components/schemas/user.service.v1.User' },
            message: { type: 'string', enum: ['success'] },
          },
        },
      },
    });
    expect(document.components.schemas['user.service.v1.User']).toEqual({
      type: 'object',
      properties: {
        displayName: { type: 'string' },
        id: { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' },
        email: { type: 'string' },
        role: { type: 'string' },
        age: { type: 'integer', format: 'int32' },
        createdAt: { type: 'string', format: 'date-time' },
      },
      required: ['displayName', 'id', 'email', 'role'],
    });
  });

  it('wraps the type an author gave, and keeps it', () => {
    expect(dataSchema(operation('get', '/things/{id}'))).toEqual({ $ref: '#/components/schemas/ThingView' });
  });

  it('leaves an envelope that an author described alone', () => {
    expect(operation('get', '/things/wrapped/already').responses['200']?.content?.['application/json']?.schema).toEqual(
      {
        type: 'object',
        properties: { code: {}, data: {}, message: {} },
      },
    );
  });

  it('tells void, text and empty messages apart', () => {
    expect(dataSchema(operation('post', '/things/{box}/by-input'), '201')).toEqual({
      type: 'object',
      nullable: true,
      enum: [null],
    });
    expect(dataSchema(operation('post', '/things'), '201')).toEqual({ type: 'string' });
    expect(dataSchema(operation('delete', '/users/{id}'))).toEqual({ type: 'object', nullable: true });
    expect(operation('delete', '/things/{id}').responses['204']).toEqual({ description: 'No Content' });
  });

  it('does not wrap raw answers, streams and events', () => {
    const contentOf = (path: string): unknown => operation('get', path).responses['200']?.content;

    expect(contentOf('/things/{id}/file')).toEqual({ '*/*': { schema: { type: 'string', format: 'binary' } } });
    expect(contentOf('/things/{id}/picture')).toEqual({
      'image/png': { schema: { type: 'string', format: 'binary' } },
    });
    expect(contentOf('/things/events/all')).toEqual({ 'text/event-stream': { schema: { type: 'string' } } });
    expect(contentOf('/users/changes/all')).toEqual({
      'application/x-ndjson': { schema: { $ref: '#/components/schemas/user.service.v1.UserChange' } },
    });
    expect(document.components.schemas['user.service.v1.UserChange.Kind']).toEqual({
      type: 'string',
      enum: ['KIND_UNSPECIFIED', 'KIND_UPSERTED', 'KIND_DELETED'],
    });
  });

  it('lists the errors a route can give, in both forms', () => {
    const errorsOf = (method: string, path: string): string[] =>
      Object.keys(operation(method, path).responses).filter((status) => status >= '400');

    expect(errorsOf('get', '/users')).toEqual(['400', '401', '429', '500', '503', '504']);
    expect(errorsOf('get', '/users/{id}')).toEqual(['400', '401', '404', '429', '500', '503', '504']);
    expect(errorsOf('post', '/users')).toEqual(['400', '401', '403', '409', '413', '415', '429', '500', '503', '504']);
    expect(operation('get', '/users').responses['400']).toEqual({ $ref: '#/components/responses/BadRequest' });
    expect(document.components.responses?.['BadRequest']?.content).toEqual({
      'application/json': { schema: { $ref: '#/components/schemas/ErrorEnvelope' } },
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    });
  });

  it('describes a probe as up or down', () => {
    const content = { 'application/json': { schema: { type: 'object' } } };

    expect(operation('get', '/alive').responses).toEqual({
      200: { description: 'Up', content },
      500: { $ref: '#/components/responses/InternalServerError' },
      503: { description: 'Down', content },
    });
  });

  it("completes an author's own error answer", () => {
    expect(operation('get', '/things/{id}').responses['404']).toMatchObject({
      description: 'No such thing',
      content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorEnvelope' } } },
    });
  });
});

describe('the description of access', () => {
  it('opens public routes and leaves the others to the bearer token', () => {
    expect(operation('get', '/users/{id}').security).toEqual([]);
    expect(operation('delete', '/users/{id}')).not.toHaveProperty('security');
  });

  it('names scopes and roles', () => {
    expect(operation('patch', '/users/{id}')).toMatchObject({
      summary: 'Changes a user',
      description:
        'Fields that are present change.\n\nNeeds the scope `users:write`.\n\nNeeds one of the roles `operator`, `developer`.',
      'x-required-scopes': ['users:write'],
      'x-required-roles': ['operator', 'developer'],
    });
  });
});
