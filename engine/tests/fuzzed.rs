//! Records that fuzzing found to be read as something else than they say. They are refused now.

use engine::codec::{CodecFault, decode};

/// What follows a movement has balances on both sides. Found by fuzzing: a name in place of one was read, and lost when written.
#[test]
fn lineage_is_between_balances() {
    let hex = "050140c227d8fe5b0600efcdab89674523010905010540466565730008008010000102f2c0016400076f726465722d31\
        0000067374726970651005010102f2c0016400076f726465722d3100000001060102f2016400076f726465722d310000\
        06010400ad04000800000000000000000002030a0006056964745f3716000301ad02030a000673747269706516010301\
        02020a00067374726970651a6f726465722d315f715f726563657669655f7374726970655f3207000102ac02ad02030a\
        00067369747270652700040207ad02030a0006737472697065";
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    assert_eq!(decode(&bytes), Err(CodecFault::Value("a balance")));
}
