//! Kubernetes quantities, as far as they must be compared.

/// An amount of CPU or memory, as it was written and as a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity {
    /// As written.
    pub text: String,
    /// In thousand-millionths, the finest unit that Kubernetes knows.
    nano: i128,
}

/// More digits are no amount of anything in a cluster, and fewer than would overflow.
const DIGITS_MAX: usize = 18;
const NANO: i128 = 1_000_000_000;

impl Quantity {
    /// Reads `0.5`, `500m`, `64Mi`, `1e3`, ...; `None` where Kubernetes would refuse it too.
    pub fn parse(text: &str) -> Option<Quantity> {
        let (sign, rest) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (digits, suffix) = rest.split_at(end);
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let count = whole.len() + fraction.len();
        if count == 0 || count > DIGITS_MAX || fraction.contains('.') {
            return None;
        }
        let number: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scaled = number.checked_mul(unit(suffix)?)?;
        let divisor = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
        // Kubernetes rounds up what is finer than its finest unit.
        Some(Quantity {
            text: text.to_owned(),
            nano: sign * ((scaled + divisor - 1) / divisor),
        })
    }

    /// Whether it is the same amount, however it is written.
    pub fn equals(&self, other: &Quantity) -> bool {
        self.nano == other.nano
    }

    /// Whether it is more than the other.
    pub fn exceeds(&self, other: &Quantity) -> bool {
        self.nano > other.nano
    }

    /// Whether it is more than nothing.
    pub fn is_positive(&self) -> bool {
        self.nano > 0
    }

    /// Whether it is less than nothing.
    pub fn is_negative(&self) -> bool {
        self.nano < 0
    }

    /// Whether it is a number of whole units.
    pub fn is_whole(&self) -> bool {
        self.nano % NANO == 0
    }
}

/// A suffix as thousand-millionths of one.
fn unit(suffix: &str) -> Option<i128> {
    let thousand = |power: u32| 1_000_i128.pow(power) * NANO;
    let binary = |power: u32| 1_024_i128.pow(power) * NANO;
    Some(match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => NANO,
        "k" => thousand(1),
        "M" => thousand(2),
        "G" => thousand(3),
        "T" => thousand(4),
        "P" => thousand(5),
        "E" => thousand(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = u32::try_from(power.checked_add(9)?).ok()?;
            // 10^18 of anything is the largest that is written with a suffix too.
            10_i128.checked_pow(power).filter(|_| power <= 27)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Quantity;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap_or_else(|| panic!("{text:?} must be a quantity"))
    }

    #[test]
    fn equal_amounts_are_equal_however_written() {
        for (one, other) in [
            ("0.1", "100m"),
            ("1", "1000m"),
            ("1Gi", "1024Mi"),
            ("64M", "64000000"),
            ("1e3", "1k"),
            ("1.5Gi", "1536Mi"),
            ("0.0000000001", "1n"),
            (".5", "500m"),
            ("2.", "2"),
            ("+3", "3"),
        ] {
            assert!(quantity(one).equals(&quantity(other)), "{one} {other}");
        }
        assert!(quantity("65Mi").exceeds(&quantity("64Mi")));
        assert!(!quantity("64M").exceeds(&quantity("64Mi")));
        assert!(quantity("-1").is_negative());
        assert!(!quantity("0").is_positive());
        assert!(!quantity("64m").is_whole());
    }

    #[test]
    fn what_kubernetes_refuses_is_no_quantity() {
        for text in [
            "",
            "m",
            "Mi",
            "1 Mi",
            "1mi",
            "64MB",
            "64mb",
            "1.2.3",
            "ten",
            "1K",
            "1e",
            "0x10",
            "1e999",
            "--1",
            " 1",
            ".",
            "9999999999999999999",
        ] {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }
}
