;; The samples of an XOR chunk (FORMAT.md, "XOR chunk"): most of what a query over many samples costs.
;; Made into xor-chunk-bytes.ts by `sh bin/with-runtime remote-write/tsdb/build/build-xor-chunk.ts`; xor-chunk-module.ts makes the memory.
;;
;; ┌ 0 bits, 16 KiB, and 64 bytes that a look ahead may read ┬ 16448 times, 1024 doubles ┬ 24640 values, 1024 doubles ┐
(module
  (memory (export "memory") 1 1)

  (global (export "bitsBytesMax") i32 (i32.const 16384))
  (global (export "samplesMax") i32 (i32.const 1024))
  (global (export "timesAt") i32 (i32.const 16448))
  (global (export "valuesAt") i32 (i32.const 24640))

  ;; Turns bytes [0, end) as they stand in a file into words whose most significant bit is the first.
  (func (export "toWords") (param $end i32)
    (local $at i32)
    (loop $next
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (v128.store (local.get $at)
            (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12 (v128.load (local.get $at)) (v128.load (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $next)))))

  ;; The bits from `at` on, 33 of them or more, at the high end.
  (func $look (param $at i32) (result i64)
    (i64.shl
      (i64.rotl (i64.load (i32.shl (i32.shr_u (local.get $at) (i32.const 5)) (i32.const 2))) (i64.const 32))
      (i64.extend_i32_u (i32.and (local.get $at) (i32.const 31)))))

  ;; The 64 bits from `at` on.
  (func $lookAll (param $at i32) (result i64)
    (local $word i32)
    (local.set $word (i32.shl (i32.shr_u (local.get $at) (i32.const 5)) (i32.const 2)))
    (i64.or
      (i64.shl (i64.rotl (i64.load (local.get $word)) (i64.const 32)) (i64.extend_i32_u (i32.and (local.get $at) (i32.const 31))))
      (i64.shr_u
        (i64.shl (i64.load32_u offset=8 (local.get $word)) (i64.extend_i32_u (i32.and (local.get $at) (i32.const 31))))
        (i64.const 32))))

  ;; A number in groups of seven bits, the lowest first, from bit `at` on. The bit behind it is left in $behind; -1 after ten bytes without an end.
  (global $behind (mut i32) (i32.const 0))
  (func $uvarint (param $at i32) (result i64)
    (local $byte i64) (local $value i64) (local $shift i64)
    (loop $next
      (local.set $byte (i64.shr_u (call $look (local.get $at)) (i64.const 56)))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (local.set $value
        (i64.or (local.get $value) (i64.shl (i64.and (local.get $byte) (i64.const 127)) (local.get $shift))))
      (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
      (if (i64.ge_u (local.get $byte) (i64.const 128))
        (then
          (br_if $next (i64.lt_u (local.get $shift) (i64.const 70)))
          (local.set $at (i32.const -1)))))
    (global.set $behind (local.get $at))
    (local.get $value))

  ;; Of the first `count` samples (1 to 1024) those with $min <= time <= $max into times and values, up to the first one later than that. Gives how
  ;; many those are; -1 if the bits [0, end) are no such chunk.
  (func (export "decode") (param $count i32) (param $end i32) (param $min f64) (param $max f64) (result i32)
    (local $at i32) (local $left i32) (local $found i32) (local $isSecond i32)
    (local $time i64) (local $delta i64) (local $value i64) (local $window i64) (local $bits i64) (local $seconds f64)
    (local $leading i64) (local $significant i64) (local $trailing i64)
    (local.set $left (local.get $count))
    (local.set $isSecond (i32.const 1))
    (local.set $significant (i64.const 64))
    (local.set $bits (call $uvarint (i32.const 0)))
    (local.set $at (global.get $behind))
    (if (i32.lt_s (local.get $at) (i32.const 0)) (then (return (i32.const -1))))
    ;; zigzag
    (local.set $time
      (i64.xor
        (i64.shr_u (local.get $bits) (i64.const 1))
        (i64.sub (i64.const 0) (i64.and (local.get $bits) (i64.const 1)))))
    (local.set $value (call $lookAll (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 64)))
    (block $done
      (loop $next
        (if (i32.gt_u (local.get $at) (local.get $end)) (then (return (i32.const -1))))
        (local.set $seconds (f64.convert_i64_s (local.get $time)))
        (br_if $done (f64.gt (local.get $seconds) (local.get $max)))
        (if (f64.ge (local.get $seconds) (local.get $min))
          (then
            (f64.store offset=16448 (local.get $found) (local.get $seconds))
            (i64.store offset=24640 (local.get $found) (local.get $value))
            (local.set $found (i32.add (local.get $found) (i32.const 8)))))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $done (i32.eqz (local.get $left)))

        ;; the time
        (if (local.get $isSecond)
          (then
            (local.set $isSecond (i32.const 0))
            (local.set $delta (call $uvarint (local.get $at)))
            (local.set $at (global.get $behind))
            (if (i32.lt_s (local.get $at) (i32.const 0)) (then (return (i32.const -1))))
            (local.set $window (call $look (local.get $at))))
          (else
            (local.set $window (call $look (local.get $at)))
            (if (i64.ge_s (local.get $window) (i64.const 0))
              (then
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (local.set $window (i64.shl (local.get $window) (i64.const 1))))
              (else
                (block $read
                  ;; 10 and 14 bits, 110 and 17, 1110 and 20, 1111 and 64: from -(2^(n-1) - 1) to 2^(n-1)
                  (if (i64.ge_s (i64.shl (local.get $window) (i64.const 1)) (i64.const 0))
                    (then
                      (local.set $bits (i64.shr_u (i64.shl (local.get $window) (i64.const 2)) (i64.const 50)))
                      (if (i64.gt_s (local.get $bits) (i64.const 0x2000))
                        (then (local.set $bits (i64.sub (local.get $bits) (i64.const 0x4000)))))
                      (local.set $at (i32.add (local.get $at) (i32.const 16)))
                      (br $read)))
                  (if (i64.ge_s (i64.shl (local.get $window) (i64.const 2)) (i64.const 0))
                    (then
                      (local.set $bits (i64.shr_u (i64.shl (local.get $window) (i64.const 3)) (i64.const 47)))
                      (if (i64.gt_s (local.get $bits) (i64.const 0x10000))
                        (then (local.set $bits (i64.sub (local.get $bits) (i64.const 0x20000)))))
                      (local.set $at (i32.add (local.get $at) (i32.const 20)))
                      (br $read)))
                  (if (i64.ge_s (i64.shl (local.get $window) (i64.const 3)) (i64.const 0))
                    (then
                      (local.set $bits (i64.shr_u (i64.shl (local.get $window) (i64.const 4)) (i64.const 44)))
                      (if (i64.gt_s (local.get $bits) (i64.const 0x80000))
                        (then (local.set $bits (i64.sub (local.get $bits) (i64.const 0x100000)))))
                      (local.set $at (i32.add (local.get $at) (i32.const 24)))
                      (br $read)))
                  (local.set $bits (call $lookAll (i32.add (local.get $at) (i32.const 4))))
                  (local.set $at (i32.add (local.get $at) (i32.const 68))))
                (local.set $delta (i64.add (local.get $delta) (local.get $bits)))
                (local.set $window (call $look (local.get $at)))))))
        (local.set $time (i64.add (local.get $time) (local.get $delta)))

        ;; the value; $window has 32 bits or more from $at on
        (if (i64.ge_s (local.get $window) (i64.const 0))
          (then
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (if (i64.ge_s (i64.shl (local.get $window) (i64.const 1)) (i64.const 0))
          (then (local.set $at (i32.add (local.get $at) (i32.const 2))))
          (else
            (local.set $leading (i64.shr_u (i64.shl (local.get $window) (i64.const 2)) (i64.const 59)))
            (local.set $significant (i64.shr_u (i64.shl (local.get $window) (i64.const 7)) (i64.const 58)))
            ;; 64 does not fit into 6 bits
            (if (i64.eqz (local.get $significant)) (then (local.set $significant (i64.const 64))))
            (local.set $trailing (i64.sub (i64.sub (i64.const 64) (local.get $leading)) (local.get $significant)))
            (if (i64.lt_s (local.get $trailing) (i64.const 0)) (then (return (i32.const -1))))
            (local.set $at (i32.add (local.get $at) (i32.const 13)))))
        (local.set $value
          (i64.xor
            (local.get $value)
            (i64.shl
              (i64.shr_u (call $lookAll (local.get $at)) (i64.sub (i64.const 64) (local.get $significant)))
              (local.get $trailing))))
        (local.set $at (i32.add (local.get $at) (i32.wrap_i64 (local.get $significant))))
        (br $next)))
    (i32.shr_u (local.get $found) (i32.const 3))))
