import { addressGroup } from '../base/address.js';
import { Receipt, type Observed } from '../model/proofs.js';
import { no } from '../base/result.js';
import { refuse } from '../model/codes.js';
import type { CleanRequest, Upgrade } from '../model/request.js';
import type { WebSocketFacts } from '../model/target.js';
import type { ExchangeFacts, ForwardContext, Forwarded, ForwardReply } from './context.js';
import { Exchange } from './exchange.js';
import { heldFor, runHeld, wholeAnswerHeaders } from './hold.js';
import { admittedHeaders, observedHeaders } from './header-list.js';
import { crossOrigin, runRpc } from './rpc-answer.js';
import { askHead, offerOf } from './switch-head.js';
import { Tunnel } from './tunnel.js';

export type { ForwardContext, Forwarded, ForwardReply } from './context.js';
export type { IdentityHeaders } from './header-list.js';
export { credentialPerSpace, oneCredential, type CredentialForm, type UpstreamCredential } from './credential.js';
export { mintedCredential } from './mint.js';
export { namedHeaders } from './identity-header.js';
export type { Upstream } from './port.js';
export type { AnswerHolding, HeldBytes } from './held-answer.js';
export { createLookups, type Moves } from './lookups.js';
export { createUpstream } from './lanes.js';
export { createForwardCall } from './grpc.js';
export { createGrpcUpstream, type GrpcUpstream } from './grpc-upstream.js';
export type { AnswerWatcher, CallAnswer, CallExchange, CallTrailers, ForwardCall, Sendable } from './grpc-port.js';

/**
 * Sends an admitted or observed request upstream and its answer back, streaming both ways with backpressure.
 * Takes nothing but a proof of the record room: a skipped step does not compile.
 *
 * @throws Fault `upstream.*` when nothing was answered yet
 */
export type Forward = (proof: Receipt | Observed, reply: ForwardReply) => Promise<Forwarded>;

export function createForward(context: ForwardContext): Forward {
  const plain = { ...context.answer, injectsCredential: false };
  const rpcDrop = new Set([...context.answer.drop, ...crossOrigin]);
  return (proof, reply) => {
    const isReceipt = proof instanceof Receipt;
    const target = isReceipt ? proof.admission.permit.target : proof.target;
    const request = isReceipt ? proof.admission.permit.target.request : proof.request;
    const headers = isReceipt ? admittedHeaders(proof, context.request) : observedHeaders(proof, context.request);
    const { stream = null, websocket: rules } = (isReceipt ? target?.facts.route : proof.route) ?? {};
    const isStream = stream !== null;
    if (isStream) request.place.leave(); // streams have places of their own
    const rule = isReceipt ? heldFor(proof.admission.permit) : null;
    const rpc = target?.facts.rpc ?? null;
    const answer = isReceipt ? context.answer : plain;
    const facts: ExchangeFacts = {
      context,
      reply,
      request,
      permit: isReceipt ? proof.admission.permit : null,
      live: isReceipt ? proof.admission.permit.identity.live : () => null,
      send: {
        use: { kind: isStream ? 'stream' : 'request', subject: ownerOf(proof, request, isStream) },
        method: rule === null ? request.method : heldMethod(request),
        target: isReceipt ? proof.admission.permit.target.facts.forwardTarget : originalTarget(request),
        headers: rule === null ? headers : wholeAnswerHeaders(headers),
        body: target?.facts.body ?? streamed(request),
        bodyTimeoutMs: isStream ? context.streamIdleTimeoutMs : context.bodyTimeoutMs,
      },
      deadlineMs: isStream ? null : context.deadlineMs,
      answer: rpc === null ? answer : { ...answer, drop: rpcDrop },
    };
    if (request.upgrade !== null) return openTunnel(facts, request.upgrade, rules);
    const exchange = new Exchange(facts);
    if (rpc !== null)
      return runRpc(exchange, { rpc, proof, isLast: request.method === 'DELETE', isStream, holding: context.holding });
    if (rule === null || !isReceipt) return exchange.run();
    return runHeld(exchange, proof.admission.permit, { rule, holding: context.holding });
  };
}

/** Without its body nothing can be said of an answer. */
const heldMethod = ({ method }: CleanRequest): string => (method === 'HEAD' ? 'GET' : method);

/** Where nothing is enforced a route may be none for a WebSocket: its frames would go on unread, as whatever they are. */
function openTunnel(facts: ExchangeFacts, upgrade: Upgrade, rules: WebSocketFacts | undefined): Promise<Forwarded> {
  if (rules === undefined) return Promise.resolve(no(refuse('gate.upgrade', 'a WebSocket on a route that is none')));
  const offer = offerOf(facts.request, rules);
  const send = { ...facts.send, headers: askHead(facts.send.headers, offer) };
  return new Tunnel({ upgrade, rules, offer, ...facts, send }).run();
}

/** Where nothing is enforced a request counts for its address, and a stream for nobody. */
function ownerOf(proof: Receipt | Observed, request: CleanRequest, isStream: boolean): string | null {
  if (proof instanceof Receipt) {
    const { kind, id } = proof.admission.permit.identity.subject;
    return `${kind}:${id}`;
  }
  return isStream ? null : addressGroup(request.clientAddress);
}

const streamed = ({ body }: CleanRequest): ReturnType<CleanRequest['body']['stream']> | null =>
  body.framing === 'none' || body.length === 0 ? null : body.stream();

const originalTarget = ({ path, query }: CleanRequest): string =>
  query.length === 0 ? path : `${path}?${query.map(({ raw }) => raw).join('&')}`;
