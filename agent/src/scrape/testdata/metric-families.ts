import protobuf from 'protobufjs'

// io.prometheus.client as an independent implementation encodes it; for tests.

const MetricFamily = protobuf
  .parse(
    `syntax = "proto3";
  package io.prometheus.client;
  message MetricFamily { string name = 1; string help = 2; uint32 type = 3; repeated Metric metric = 4; string unit = 5; }
  message Metric { repeated LabelPair label = 1; Gauge gauge = 2; Counter counter = 3; Histogram histogram = 7; int64 timestamp_ms = 6; }
  message LabelPair { string name = 1; string value = 2; }
  message Gauge { double value = 1; }
  message Counter { double value = 1; Exemplar exemplar = 2; Timestamp created_timestamp = 3; }
  message Exemplar { repeated LabelPair label = 1; double value = 2; Timestamp timestamp = 3; }
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
  message Histogram {
    uint64 sample_count = 1; double sample_sum = 2; repeated Bucket bucket = 3; sint32 schema = 5; double zero_threshold = 6;
    uint64 zero_count = 7; repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13; Timestamp created_timestamp = 15;
    repeated Exemplar exemplars = 16;
  }
  message Bucket { uint64 cumulative_count = 1; double upper_bound = 2; Exemplar exemplar = 3; }
  message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`,
  )
  .root.lookupType('io.prometheus.client.MetricFamily')

export const protobufContentType = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'

export const counterType = 0
export const gaugeType = 1
export const histogramType = 4

/** A scrape body of these families. */
export function encodeFamilies(families: readonly object[]): Buffer {
  return Buffer.concat(families.map((family) => MetricFamily.encodeDelimited(MetricFamily.fromObject(family)).finish()))
}

/** A native histogram that counts these numbers of observations in buckets from index 1 on, with classic buckets beside. */
export function makeHistogram(name: string, counts: readonly number[], extra: object = {}): object {
  const deltas = counts.map((count, i) => count - (counts[i - 1] ?? 0))
  const sampleCount = counts.reduce((sum, count) => sum + count, 0)
  const histogram = {
    sampleCount,
    sampleSum: sampleCount / 2,
    bucket: [{ upperBound: 1, cumulativeCount: sampleCount }],
    schema: 3,
    zeroThreshold: 1e-128,
    positiveSpan: [{ offset: 1, length: counts.length }],
    positiveDelta: deltas,
    ...extra,
  }
  return { name, help: 'text', type: histogramType, metric: [{ histogram }] }
}
