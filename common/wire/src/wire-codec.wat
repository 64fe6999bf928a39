;; A snappy block uncompressed, and a hash of each series' label bytes where they lie then: most of what reading a request costs.
;; Made into wire-codec-bytes.ts by `sh bin/with-runtime common/wire/build/build-wire-codec.ts`; wire-codec.ts makes the memory.
;;
;; ┌ 0 patterns ┬ 256 strides ┬ 288 masks ┬ 352 hash ┬ 368 keys of the end ┬ 512 keys of the lanes ┬ 66112 scratch ┬ 131712 room … ┐
(module
  (import "wire" "memory" (memory 3))

  ;; Keys of the hash: whoever makes the memory fills them with secrets before the first one.
  (global (export "keysAt") i32 (i32.const 368))
  (global (export "keysEnd") i32 (i32.const 66080))
  ;; The three words of the last hash.
  (global (export "hashAt") i32 (i32.const 352))
  (global (export "hashBytesMax") i32 (i32.const 65536))
  ;; For bytes from elsewhere that are to be hashed.
  (global (export "scratchAt") i32 (i32.const 66112))
  ;; For blocks and what they uncompress to, up to the end of the memory.
  (global (export "roomAt") i32 (i32.const 131712))

  ;; Pattern d, 16 bytes each: i mod d for byte i, which repeats the d bytes in front of a copy that overlaps itself.
  (data (i32.const 16)
    "\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00\00"
    "\00\01\00\01\00\01\00\01\00\01\00\01\00\01\00\01"
    "\00\01\02\00\01\02\00\01\02\00\01\02\00\01\02\00"
    "\00\01\02\03\00\01\02\03\00\01\02\03\00\01\02\03"
    "\00\01\02\03\04\00\01\02\03\04\00\01\02\03\04\00"
    "\00\01\02\03\04\05\00\01\02\03\04\05\00\01\02\03"
    "\00\01\02\03\04\05\06\00\01\02\03\04\05\06\00\01"
    "\00\01\02\03\04\05\06\07\00\01\02\03\04\05\06\07"
    "\00\01\02\03\04\05\06\07\08\00\01\02\03\04\05\06"
    "\00\01\02\03\04\05\06\07\08\09\00\01\02\03\04\05"
    "\00\01\02\03\04\05\06\07\08\09\0a\00\01\02\03\04"
    "\00\01\02\03\04\05\06\07\08\09\0a\0b\00\01\02\03"
    "\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\00\01\02"
    "\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\00\01"
    "\00\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\00"
    ;; Stride d: the largest multiple of d up to 16.
    "\00\10\10\0f\10\0f\0c\0e\10\09\0a\0b\0c\0d\0e\0f")
  ;; 32 bytes from 32 - n on keep n bytes of a block.
  (data (i32.const 288) "\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff\ff")

  ;; Uncompresses the elements of a block, which stand behind its head. 0 = they give just `targetLength` bytes; 1 = they do not, and what the
  ;; target has then is of no use. Reads the source and writes the target and touches nothing else.
  (func (export "uncompress") (param $source i32) (param $sourceLength i32) (param $target i32) (param $targetLength i32) (result i32)
    (local $begin i32) (local $sourceEnd i32) (local $targetEnd i32) (local $wideSource i32) (local $wideTarget i32)
    (local $tag i32) (local $word i32) (local $length i32) (local $distance i32) (local $from i32) (local $end i32) (local $stride i32)
    (local $short i32) (local $pattern v128)
    (local.set $begin (local.get $target))
    (local.set $sourceEnd (i32.add (local.get $source) (local.get $sourceLength)))
    (local.set $targetEnd (i32.add (local.get $target) (local.get $targetLength)))
    ;; Up to here an element may read 65 bytes and write 80 without a look at the ends.
    (local.set $wideSource (i32.sub (local.get $sourceEnd) (i32.const 65)))
    (local.set $wideTarget (i32.sub (local.get $targetEnd) (i32.const 80)))
    (loop $next
      (block $corrupt
        (block $narrow
          (br_if $narrow (i32.gt_s (local.get $source) (local.get $wideSource)))
          (br_if $narrow (i32.gt_s (local.get $target) (local.get $wideTarget)))
          (local.set $tag (i32.load8_u (local.get $source)))
          (if (i32.eqz (i32.and (local.get $tag) (i32.const 3)))
            (then
              ;; A literal of up to 60 bytes.
              (br_if $narrow (i32.ge_u (local.get $tag) (i32.const 240)))
              (v128.store (local.get $target) (v128.load offset=1 (local.get $source)))
              (if (i32.ge_u (local.get $tag) (i32.const 64))
                (then
                  (v128.store offset=16 (local.get $target) (v128.load offset=17 (local.get $source)))
                  (v128.store offset=32 (local.get $target) (v128.load offset=33 (local.get $source)))
                  (v128.store offset=48 (local.get $target) (v128.load offset=49 (local.get $source)))))
              (local.set $length (i32.add (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 1)))
              (local.set $target (i32.add (local.get $target) (local.get $length)))
              (local.set $source (i32.add (i32.add (local.get $source) (local.get $length)) (i32.const 1)))
              (br $next)))
          ;; A copy. Both short kinds are taken apart without a branch between them, which would be guessed wrong too often.
          (local.set $word (i32.load16_u offset=1 (local.get $source)))
          (local.set $short (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 1)))
          (local.set $distance (select
            (i32.or (i32.shl (i32.shr_u (local.get $tag) (i32.const 5)) (i32.const 8)) (i32.and (local.get $word) (i32.const 255)))
            (local.get $word)
            (local.get $short)))
          (local.set $length (select
            (i32.add (i32.and (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 7)) (i32.const 4))
            (i32.add (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 1))
            (local.get $short)))
          (local.set $source (i32.sub (i32.add (local.get $source) (i32.const 3)) (local.get $short)))
          (if (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 3))
            (then
              (local.set $distance (i32.load (i32.sub (local.get $source) (i32.const 2))))
              (local.set $source (i32.add (local.get $source) (i32.const 2)))))
          ;; Also for a distance of 0, which becomes the largest.
          (br_if $corrupt (i32.ge_u (i32.sub (local.get $distance) (i32.const 1)) (i32.sub (local.get $target) (local.get $begin))))
          (local.set $from (i32.sub (local.get $target) (local.get $distance)))
          (if (i32.ge_u (local.get $distance) (i32.const 16))
            (then
              (v128.store (local.get $target) (v128.load (local.get $from)))
              (if (i32.gt_u (local.get $length) (i32.const 16))
                (then
                  (v128.store offset=16 (local.get $target) (v128.load offset=16 (local.get $from)))
                  (v128.store offset=32 (local.get $target) (v128.load offset=32 (local.get $from)))
                  (v128.store offset=48 (local.get $target) (v128.load offset=48 (local.get $from)))))
              (local.set $target (i32.add (local.get $target) (local.get $length)))
              (br $next)))
          (local.set $pattern (i8x16.swizzle
            (v128.load (local.get $from))
            (v128.load (i32.shl (local.get $distance) (i32.const 4)))))
          (local.set $stride (i32.load8_u offset=256 (local.get $distance)))
          (local.set $end (i32.add (local.get $target) (local.get $length)))
          (loop $repeat
            (v128.store (local.get $target) (local.get $pattern))
            (local.set $target (i32.add (local.get $target) (local.get $stride)))
            (br_if $repeat (i32.lt_u (local.get $target) (local.get $end))))
          (local.set $target (local.get $end))
          (br $next))

        ;; Near the ends, and for long literals: everything is looked at.
        (if (i32.ge_u (local.get $source) (local.get $sourceEnd))
          (then (return (i32.ne (local.get $target) (local.get $targetEnd)))))
        (local.set $tag (i32.load8_u (local.get $source)))
        (local.set $source (i32.add (local.get $source) (i32.const 1)))
        (local.set $length (i32.shr_u (local.get $tag) (i32.const 2)))
        (block $copy
          (br_if $copy (i32.and (local.get $tag) (i32.const 3)))
          (if (i32.ge_u (local.get $length) (i32.const 60))
            (then
              ;; One to four bytes have the length less one.
              (local.set $word (i32.sub (local.get $length) (i32.const 59)))
              (br_if $corrupt (i32.gt_u (local.get $word) (i32.sub (local.get $sourceEnd) (local.get $source))))
              (local.set $end (i32.add (local.get $source) (local.get $word)))
              (local.set $length (i32.const 0))
              (local.set $word (i32.const 0))
              (loop $byte
                (local.set $length (i32.or (local.get $length) (i32.shl (i32.load8_u (local.get $source)) (local.get $word))))
                (local.set $word (i32.add (local.get $word) (i32.const 8)))
                (local.set $source (i32.add (local.get $source) (i32.const 1)))
                (br_if $byte (i32.lt_u (local.get $source) (local.get $end))))))
          ;; Compared before one is added, which may pass 32 bits.
          (br_if $corrupt (i32.ge_u (local.get $length) (i32.sub (local.get $sourceEnd) (local.get $source))))
          (br_if $corrupt (i32.ge_u (local.get $length) (i32.sub (local.get $targetEnd) (local.get $target))))
          (local.set $length (i32.add (local.get $length) (i32.const 1)))
          (memory.copy (local.get $target) (local.get $source) (local.get $length))
          (local.set $target (i32.add (local.get $target) (local.get $length)))
          (local.set $source (i32.add (local.get $source) (local.get $length)))
          (br $next))
        (local.set $length (i32.add (local.get $length) (i32.const 1)))
        (block $known
          (if (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 1))
            (then
              (br_if $corrupt (i32.eq (local.get $source) (local.get $sourceEnd)))
              (local.set $length (i32.add (i32.and (i32.shr_u (local.get $tag) (i32.const 2)) (i32.const 7)) (i32.const 4)))
              (local.set $distance (i32.or
                (i32.shl (i32.shr_u (local.get $tag) (i32.const 5)) (i32.const 8))
                (i32.load8_u (local.get $source))))
              (local.set $source (i32.add (local.get $source) (i32.const 1)))
              (br $known)))
          (if (i32.eq (i32.and (local.get $tag) (i32.const 3)) (i32.const 2))
            (then
              (br_if $corrupt (i32.lt_u (i32.sub (local.get $sourceEnd) (local.get $source)) (i32.const 2)))
              (local.set $distance (i32.load16_u (local.get $source)))
              (local.set $source (i32.add (local.get $source) (i32.const 2)))
              (br $known)))
          (br_if $corrupt (i32.lt_u (i32.sub (local.get $sourceEnd) (local.get $source)) (i32.const 4)))
          (local.set $distance (i32.load (local.get $source)))
          (local.set $source (i32.add (local.get $source) (i32.const 4))))
        (br_if $corrupt (i32.ge_u (i32.sub (local.get $distance) (i32.const 1)) (i32.sub (local.get $target) (local.get $begin))))
        (br_if $corrupt (i32.gt_u (local.get $length) (i32.sub (local.get $targetEnd) (local.get $target))))
        (local.set $from (i32.sub (local.get $target) (local.get $distance)))
        (local.set $end (i32.add (local.get $target) (local.get $length)))
        (loop $byte
          (i32.store8 (local.get $target) (i32.load8_u (local.get $from)))
          (local.set $target (i32.add (local.get $target) (i32.const 1)))
          (local.set $from (i32.add (local.get $from) (i32.const 1)))
          (br_if $byte (i32.lt_u (local.get $target) (local.get $end))))
        (br $next)))
    (i32.const 1))

  ;; Puts three words of hash of the bytes [start, end), at most 65536 of them, at 352. Up to 32 bytes behind them are read and left out.
  ;;
  ;; Each word is a lane of NH, the hash inside UMAC: the bytes as 32-bit words, zeros behind the last, each plus its key, multiplied in pairs (a word of
  ;; the left 16 bytes with its neighbour of the right) and summed in 64 bits. Two strings of one length that were chosen without knowing the keys have
  ;; the same sum with a probability of 2^-32 at most, the same three sums with 2^-96: each lane's keys begin 16 bytes behind those of the lane before,
  ;; which leaves the lanes independent. The end makes 32 bits of a sum and the length, (k0 + high)(k1 + low) + k2 × length + k3 from bit 32 up, in
  ;; which different sums or lengths meet with 2^-32 again. That is 2^-93 for the worst two strings there are, and 2^-96 for most: no pattern cancels
  ;; for more than so few of the keys.
  (func (export "hash") (param $start i32) (param $end i32)
    (local $rest i32) (local $length i64) (local $key i32) (local $mask i32) (local $sum i64)
    (local $left v128) (local $right v128) (local $k0 v128) (local $k1 v128) (local $k2 v128) (local $k3 v128)
    (local $x v128) (local $y v128) (local $a v128) (local $b v128) (local $c v128)
    (local.set $rest (i32.sub (local.get $end) (local.get $start)))
    (local.set $length (i64.extend_i32_u (local.get $rest)))
    (local.set $k0 (v128.load offset=512 (local.get $key)))
    (local.set $k1 (v128.load offset=528 (local.get $key)))
    (loop $block
      (if (i32.ge_s (local.get $rest) (i32.const 32))
        (then
          (local.set $left (v128.load (local.get $start)))
          (local.set $right (v128.load offset=16 (local.get $start))))
        (else
          (local.set $mask (i32.sub (i32.const 320) (local.get $rest)))
          (local.set $left (v128.and (v128.load (local.get $start)) (v128.load (local.get $mask))))
          (local.set $right (v128.and (v128.load offset=16 (local.get $start)) (v128.load offset=16 (local.get $mask))))))
      (local.set $k2 (v128.load offset=544 (local.get $key)))
      (local.set $k3 (v128.load offset=560 (local.get $key)))
      (local.set $x (i32x4.add (local.get $left) (local.get $k0)))
      (local.set $y (i32x4.add (local.get $right) (local.get $k1)))
      (local.set $a (i64x2.add (local.get $a) (i64x2.add
        (i64x2.extmul_low_i32x4_u (local.get $x) (local.get $y))
        (i64x2.extmul_high_i32x4_u (local.get $x) (local.get $y)))))
      (local.set $x (i32x4.add (local.get $left) (local.get $k1)))
      (local.set $y (i32x4.add (local.get $right) (local.get $k2)))
      (local.set $b (i64x2.add (local.get $b) (i64x2.add
        (i64x2.extmul_low_i32x4_u (local.get $x) (local.get $y))
        (i64x2.extmul_high_i32x4_u (local.get $x) (local.get $y)))))
      (local.set $x (i32x4.add (local.get $left) (local.get $k2)))
      (local.set $y (i32x4.add (local.get $right) (local.get $k3)))
      (local.set $c (i64x2.add (local.get $c) (i64x2.add
        (i64x2.extmul_low_i32x4_u (local.get $x) (local.get $y))
        (i64x2.extmul_high_i32x4_u (local.get $x) (local.get $y)))))
      (local.set $k0 (local.get $k2))
      (local.set $k1 (local.get $k3))
      (local.set $key (i32.add (local.get $key) (i32.const 32)))
      (local.set $start (i32.add (local.get $start) (i32.const 32)))
      (local.set $rest (i32.sub (local.get $rest) (i32.const 32)))
      (br_if $block (i32.gt_s (local.get $rest) (i32.const 0))))
    (local.set $sum (i64.add (i64x2.extract_lane 0 (local.get $a)) (i64x2.extract_lane 1 (local.get $a))))
    (i32.store (i32.const 352) (i32.wrap_i64 (i64.shr_u
      (i64.add
        (i64.mul
          (i64.add (i64.load (i32.const 368)) (i64.shr_u (local.get $sum) (i64.const 32)))
          (i64.add (i64.load (i32.const 376)) (i64.and (local.get $sum) (i64.const 0xffffffff))))
        (i64.add
          (i64.mul (i64.load (i32.const 384)) (local.get $length))
          (i64.load (i32.const 392))))
      (i64.const 32))))
    (local.set $sum (i64.add (i64x2.extract_lane 0 (local.get $b)) (i64x2.extract_lane 1 (local.get $b))))
    (i32.store (i32.const 356) (i32.wrap_i64 (i64.shr_u
      (i64.add
        (i64.mul
          (i64.add (i64.load (i32.const 400)) (i64.shr_u (local.get $sum) (i64.const 32)))
          (i64.add (i64.load (i32.const 408)) (i64.and (local.get $sum) (i64.const 0xffffffff))))
        (i64.add
          (i64.mul (i64.load (i32.const 416)) (local.get $length))
          (i64.load (i32.const 424))))
      (i64.const 32))))
    (local.set $sum (i64.add (i64x2.extract_lane 0 (local.get $c)) (i64x2.extract_lane 1 (local.get $c))))
    (i32.store (i32.const 360) (i32.wrap_i64 (i64.shr_u
      (i64.add
        (i64.mul
          (i64.add (i64.load (i32.const 432)) (i64.shr_u (local.get $sum) (i64.const 32)))
          (i64.add (i64.load (i32.const 440)) (i64.and (local.get $sum) (i64.const 0xffffffff))))
        (i64.add
          (i64.mul (i64.load (i32.const 448)) (local.get $length))
          (i64.load (i32.const 456))))
      (i64.const 32))))))
