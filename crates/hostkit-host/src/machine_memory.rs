//! How much memory this machine has.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;

const FILE: &str = "/proc/meminfo";

/// All memory of this machine, without swap.
pub fn machine_memory() -> Result<ByteSize, Failure> {
    let cannot = |why: &str| {
        Failure::new(
            Kind::Internal,
            format!("cannot tell how much memory this machine has: {why}"),
        )
        .hint(format!("see whether `{FILE}` can be read"))
    };
    let text = std::fs::read_to_string(FILE).map_err(|e| cannot(&e.to_string()))?;
    total_in(&text).ok_or_else(|| cannot(&format!("`{FILE}` has no line `MemTotal`")))
}

/// Lines `NAME: NUMBER kB`.
fn total_in(text: &str) -> Option<ByteSize> {
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number: u64 = kilobytes.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024).map(ByteSize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_line_is_read() {
        let text = "MemFree:  1 kB\nMemTotal:       24689764 kB\nMemAvailable:   22 kB\n";
        assert_eq!(total_in(text), Some(ByteSize(24_689_764 << 10)));
        for strange in [
            "",
            "MemTotal: x kB\n",
            "MemTotal: 5\n",
            "MemTotal: 18446744073709551615 kB\n",
        ] {
            assert_eq!(total_in(strange), None, "{strange}");
        }
        assert!(machine_memory().unwrap() > ByteSize::mib(64));
    }
}
