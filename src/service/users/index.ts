/**
 * Users of the service: `user.service.v1.UserService` and `/api/v1/users`, from one controller.
 *
 * @example
 * imports: [UsersModule]
 */
export { UsersModule } from './users.module.js';
