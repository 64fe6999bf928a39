;; CRC-32C of long ranges: twice as fast as in JavaScript, and as fast the first time.
;; Made into crc32c-bytes.ts by `sh bin/with-runtime common/bytes/build/build-crc32c.ts`; crc32c.ts makes the memory.
;;
;; ┌ 0 sixteen tables of 256 words ┬ 16384 room for bytes, 48 KiB ┐
;; Table k gives the checksum of a byte followed by k zero bytes, so sixteen bytes fold in one step.
(module
  (memory (export "memory") 1 1)

  (global (export "roomAt") i32 (i32.const 16384))

  (func $buildTables
    (local $at i32) (local $crc i32) (local $bit i32)
    (loop $byte
      (local.set $crc (i32.shr_u (local.get $at) (i32.const 2)))
      (local.set $bit (i32.const 8))
      (loop $next
        (local.set $crc
          (i32.xor
            (i32.shr_u (local.get $crc) (i32.const 1))
            (i32.and (i32.const 0x82f63b78) (i32.sub (i32.const 0) (i32.and (local.get $crc) (i32.const 1))))))
        (br_if $next (local.tee $bit (i32.sub (local.get $bit) (i32.const 1)))))
      (i32.store (local.get $at) (local.get $crc))
      (br_if $byte (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 1024))))
    (loop $word
      (local.set $crc (i32.load (i32.sub (local.get $at) (i32.const 1024))))
      (i32.store (local.get $at) (call $fold (local.get $crc) (i32.const 0)))
      (br_if $word (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 16384)))))
  (start $buildTables)

  ;; The checksum with one more byte in it.
  (func $fold (param $crc i32) (param $byte i32) (result i32)
    (i32.xor
      (i32.shr_u (local.get $crc) (i32.const 8))
      (i32.load (i32.shl (i32.and (i32.xor (local.get $crc) (local.get $byte)) (i32.const 255)) (i32.const 2)))))

  ;; The checksum of the bytes [at, end), of which `crc` came before.
  (func (export "sum") (param $at i32) (param $end i32) (param $crc i32) (result i32)
    (local $low i64) (local $high i64)
    (local.set $crc (i32.xor (local.get $crc) (i32.const -1)))
    (block $few
      (loop $sixteen
        (br_if $few (i32.gt_u (i32.add (local.get $at) (i32.const 16)) (local.get $end)))
        (local.set $low (i64.xor (i64.load align=1 (local.get $at)) (i64.extend_i32_u (local.get $crc))))
        (local.set $high (i64.load offset=8 align=1 (local.get $at)))
        (local.set $crc
          (i32.xor (i32.load offset=15360 (i32.shl (i32.and (i32.wrap_i64 (local.get $low)) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=14336 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 8))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=13312 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 16))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=12288 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 24))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=11264 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 32))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=10240 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 40))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=9216 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 48))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=8192 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 56))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=7168 (i32.shl (i32.and (i32.wrap_i64 (local.get $high)) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=6144 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 8))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=5120 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 16))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=4096 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 24))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=3072 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 32))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=2048 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 40))) (i32.const 255)) (i32.const 2)))
          (i32.xor (i32.load offset=1024 (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 48))) (i32.const 255)) (i32.const 2)))
          (i32.load (i32.shl (i32.and (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 56))) (i32.const 255)) (i32.const 2)))))))))))))))))))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br $sixteen)))
    (block $none
      (loop $one
        (br_if $none (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $crc (call $fold (local.get $crc) (i32.load8_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $one)))
    (i32.xor (local.get $crc) (i32.const -1))))
