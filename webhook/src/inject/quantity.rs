//! Kubernetes quantities, as far as they must be compared: `100m`, `0.5`, `64Mi`, `1G`, `2e3`.

/// A quantity in billionths, the finest step that Kubernetes keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quantity(u128);

const BILLION: u128 = 1_000_000_000;
/// Longer numbers are none that a person writes, and would overflow.
const DIGITS_MAX: usize = 18;

impl Quantity {
    /// A quantity above 0.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let too_long = whole.len() > DIGITS_MAX || fraction.len() > 9;
        if number.is_empty() || too_long || whole.len() + fraction.len() == 0 {
            return None;
        }
        let digits: u128 = format!("{whole}{fraction:0<9}").parse().ok()?;
        let scaled = match multiplier(suffix)? {
            Multiplier::Times(factor) => digits.checked_mul(factor)?,
            Multiplier::Over(divisor) => digits.div_ceil(divisor),
        };
        (scaled > 0).then_some(Self(scaled))
    }
}

enum Multiplier {
    Times(u128),
    Over(u128),
}

fn multiplier(suffix: &str) -> Option<Multiplier> {
    let binary = |power: u32| Multiplier::Times(1 << (10 * power));
    let decimal = |power: u32| Multiplier::Times(1_000_u128.pow(power));
    Some(match suffix {
        "" => Multiplier::Times(1),
        "n" => Multiplier::Over(BILLION),
        "u" => Multiplier::Over(1_000_000),
        "m" => Multiplier::Over(1_000),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E'])?;
            let power: i32 = digits
                .parse()
                .ok()
                .filter(|power: &i32| power.abs() <= 18)?;
            let factor = 10_u128.pow(power.unsigned_abs());
            match power >= 0 {
                true => Multiplier::Times(factor),
                false => Multiplier::Over(factor),
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_quantities_are_equal_however_they_are_written() {
        for (left, right) in [
            ("100m", "0.1"),
            ("1", "1000m"),
            ("1Ki", "1024"),
            ("64Mi", "67108864"),
            ("1e3", "1k"),
            ("2E3", "2000"),
            ("1.5Gi", "1536Mi"),
            ("5e-1", "500m"),
        ] {
            assert_eq!(
                Quantity::parse(left),
                Quantity::parse(right),
                "{left} {right}"
            );
            assert!(Quantity::parse(left).is_some(), "{left}");
        }
        assert!(Quantity::parse("128Mi") > Quantity::parse("128M"));
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "m",
            ".",
            "-1",
            "1 Mi",
            "1mi",
            "0",
            "0m",
            "1e99",
            "1.0000000001",
            "9999999999999999999",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }
}
