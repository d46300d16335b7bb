import { createService } from 'rookery';
import { AppModule } from './service/app.module.js';

const service = await createService(AppModule, {
  samples: {
    path: '/api/v1/users/1',
    rpc: 'user.service.v1.UserService/GetUser',
    message: '{"id": 1}',
    scopes: ['users:write'],
  },
});
await service.listen();
