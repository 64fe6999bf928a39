;; Checks chunks of a file that stand one behind the other.
;; Made into chunk-check-bytes.ts by `sh bin/with-runtime remote-write/tsdb/build/build-chunk-check.ts`; the memory is that of the checksums.
;;
;; ┌ length (uvarint) ┬ encoding ┬ data, length bytes ┬ crc32c of encoding and data (big-endian) ┐
(module
  (import "crc32c" "memory" (memory 1 1))
  (import "crc32c" "sum" (func $sum (param i32 i32 i32) (result i32)))

  ;; Gives how many of the chunks from `at` on that begin before `until`, end at `end` at the latest and follow one another without a wrong one between
  ;; them are right, and writes from `list` on, two bytes each, how far from `at` they begin. One with a length of three bytes or more ends the walk.
  (func (export "check") (param $at i32) (param $until i32) (param $end i32) (param $list i32) (result i32)
    (local $origin i32) (local $listOrigin i32) (local $start i32) (local $length i32) (local $dataEnd i32) (local $swapped i32)
    (local.set $origin (local.get $at))
    (local.set $listOrigin (local.get $list))
    (block $done
      (loop $chunk
        (br_if $done (i32.ge_u (local.get $at) (local.get $until)))
        ;; The shortest one is longer than what is read here.
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 6)) (local.get $end)))
        (local.set $length (i32.load8_u (local.get $at)))
        (local.set $start (i32.add (local.get $at) (i32.const 1)))
        (if (i32.ge_u (local.get $length) (i32.const 0x80))
          (then
            (br_if $done (i32.ge_u (i32.load8_u (local.get $start)) (i32.const 0x80)))
            (local.set $length
              (i32.or
                (i32.and (local.get $length) (i32.const 0x7f))
                (i32.shl (i32.load8_u (local.get $start)) (i32.const 7))))
            (local.set $start (i32.add (local.get $start) (i32.const 1)))))
        (br_if $done (i32.eqz (local.get $length)))
        (local.set $dataEnd (i32.add (i32.add (local.get $start) (i32.const 1)) (local.get $length)))
        (br_if $done (i32.gt_u (i32.add (local.get $dataEnd) (i32.const 4)) (local.get $end)))
        (br_if $done (i32.ge_u (i32.sub (i32.load8_u (local.get $start)) (i32.const 1)) (i32.const 6)))
        (local.set $swapped (i32.load align=1 (local.get $dataEnd)))
        (br_if $done
          (i32.ne
            (call $sum (local.get $start) (local.get $dataEnd) (i32.const 0))
            (i32.or
              (i32.rotl (i32.and (local.get $swapped) (i32.const 0x00ff00ff)) (i32.const 24))
              (i32.rotl (i32.and (local.get $swapped) (i32.const 0xff00ff00)) (i32.const 8)))))
        (i32.store16 (local.get $list) (i32.sub (local.get $at) (local.get $origin)))
        (local.set $list (i32.add (local.get $list) (i32.const 2)))
        (local.set $at (i32.add (local.get $dataEnd) (i32.const 4)))
        (br $chunk)))
    (i32.shr_u (i32.sub (local.get $list) (local.get $listOrigin)) (i32.const 1))))
