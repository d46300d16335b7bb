import { create, toBinary } from '@bufbuild/protobuf';
import { frame } from './grpc-calls.js';
import { TrialService } from './trial-proto.js';

const placeOrder = TrialService.method['placeOrder'];

/** The path of an RPC that answers with what it was sent, and is a route of REST as well. */
export const placeOrderPath = '/trial.service.v1.TrialService/PlaceOrder';

/** Its request, framed. */
export function orderMessage(order: { readonly title: string }): Buffer {
  if (placeOrder === undefined) throw new Error('no PlaceOrder');
  return frame(toBinary(placeOrder.input, create(placeOrder.input, order as never)));
}
