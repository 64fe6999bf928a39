import protobuf from 'protobufjs'

// The messages of both versions as an independent implementation encodes and decodes them; for tests.

const shared = `
  message Histogram {
    oneof count { uint64 count_int = 1; double count_float = 2; }
    double sum = 3; sint32 schema = 4; double zero_threshold = 5;
    oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
    repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
    repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
    uint32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17;
  }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`

/** prometheus.WriteRequest. */
export const oracle1: protobuf.Type = protobuf
  .parse(
    `syntax = "proto3";
  message WriteRequest { repeated TimeSeries timeseries = 1; }
  message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3; repeated Histogram histograms = 4; }
  message Label { string name = 1; string value = 2; }
  message Sample { double value = 1; int64 timestamp = 2; }
  message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
  ${shared}`,
  )
  .root.lookupType('WriteRequest')

/** io.prometheus.write.v2.Request. */
export const oracle2: protobuf.Type = protobuf
  .parse(
    `syntax = "proto3";
  message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
  message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4; Metadata metadata = 5; }
  message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
  message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
  ${shared}`,
  )
  .root.lookupType('Request')

export const oracleHistogram: protobuf.Type = oracle2.root.lookupType('Histogram')

/** A message as a plain object; fields with their default are left out, 64-bit numbers are numbers. */
export function decodeOracle(type: protobuf.Type, bytes: Uint8Array): Record<string, unknown> {
  return type.toObject(type.decode(bytes), { longs: Number }) as Record<string, unknown>
}

export function encodeOracle(type: protobuf.Type, message: object): Uint8Array {
  return type.encode(type.fromObject(message)).finish()
}
