// Copyright The Kuchipaku authors.
// SPDX-License-Identifier: Apache-2.0

// The gateway as Node calls it: no generated code, the protos are read when the program starts.
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const PROTOS = fileURLToPath(new URL('../../protos', import.meta.url));
const MAX_MESSAGE_BYTES = 8 * 2 ** 20;
const DETAILS = 'grpc-status-details-bin';

/** Returns a client of the gateway at `address` (host:port, unix:/path or dns:///name:port). */
export function connect(address, { protos = PROTOS, credentials = grpc.credentials.createInsecure() } = {}) {
  const definition = loader.loadSync('kuchipaku/gateway/v1/gateway_service.proto', {
    includeDirs: [protos],
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
  });
  const { GatewayService } = grpc.loadPackageDefinition(definition).kuchipaku.gateway.v1;
  return new GatewayService(address, credentials, {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    // Several gateways behind one name share the sessions.
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  });
}

/** Metadata of a call: the API key, where the gateway wants one. */
export function metadata(apiKey) {
  const data = new grpc.Metadata();
  if (apiKey) data.set('authorization', `Bearer ${apiKey}`);
  return data;
}

/** Seconds of a google.protobuf.Duration. */
export function seconds(duration) {
  return duration ? Number(duration.seconds) + duration.nanos / 1e9 : 0;
}

/** A google.protobuf.Duration of seconds. */
export function duration(value) {
  const nanos = Math.round(value * 1e9);
  return { seconds: Math.floor(nanos / 1e9), nanos: nanos % 1e9 };
}

/** Whether a failed call is worth another try later, as it is. */
export function isRetryable(error) {
  return error.code === grpc.status.UNAVAILABLE || error.code === grpc.status.RESOURCE_EXHAUSTED;
}

/** The machine-readable reason of an error, as QUEUE_FULL; empty where gRPC itself failed the call. */
export function reasonOf(error) {
  const [packed] = error.metadata?.get(DETAILS) ?? [];
  const found = packed?.toString('latin1').match(/google\.rpc\.ErrorInfo\x12[^]{1,3}\n[^]([A-Z][A-Z0-9_]+)/);
  return found ? found[1] : '';
}
