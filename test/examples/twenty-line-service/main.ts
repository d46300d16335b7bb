import { Controller, Get, Module } from '@nestjs/common';
import { Length } from 'class-validator';
import { createService, GrpcService, Input, Public, Rpc } from 'rookery';
import { GreeterService } from './gen/greeter/v1/greeter_pb.js';

class SayHelloInput {
  @Length(1, 50)
  name!: string;
}

@Controller('hello')
@GrpcService(GreeterService)
class GreeterController {
  @Get(':name')
  @Rpc()
  @Public()
  sayHello(@Input() { name }: SayHelloInput): { greeting: string } {
    return { greeting: `Hello ${name}` };
  }
}

@Module({ controllers: [GreeterController] })
class AppModule {}

const service = await createService(AppModule);
await service.listen();
