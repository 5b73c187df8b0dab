//! The steady path alone, for a tool that counts instructions: `steady QOS TURNS`, see `tests/instructions.sh`.

use std::process::ExitCode;

use sidecar::packet::Qos;
use tests::steady::Steady;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (qos, turns) = match arguments.as_slice() {
        [qos, turns] => (qos.as_str(), turns.parse::<u32>()),
        _ => ("", "".parse()),
    };
    let qos = match qos {
        "0" => Qos::AtMostOnce,
        "1" => Qos::AtLeastOnce,
        _ => return usage(),
    };
    let Ok(turns) = turns else { return usage() };
    let mut steady = Steady::new(qos);
    for _ in 0..turns {
        steady.turn();
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: steady 0|1 TURNS");
    ExitCode::from(64)
}
