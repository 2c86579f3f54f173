//! The bytes of a public key (RFC 4253, 5656, 8709 and OpenSSH's PROTOCOL.u2f): read to the last one, so that what is
//! let in is a key of the kind it says, and nothing else stands in the same line.

/// Fewer bits are refused by OpenSSH's own defaults or broken; more serve nobody but who wants to keep a machine busy.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=16384;

/// Reads what follows the name of a kind.
type Check = fn(&mut Reader<'_>) -> Option<()>;

/// The kinds that may log in. No DSA; no certificates, which let in whoever an authority signs for.
pub(super) const KINDS: &[(&str, Check)] = &[
    ("ssh-ed25519", ed25519),
    ("ecdsa-sha2-nistp256", |bytes| ecdsa(bytes, "nistp256", 65)),
    ("ecdsa-sha2-nistp384", |bytes| ecdsa(bytes, "nistp384", 97)),
    ("ecdsa-sha2-nistp521", |bytes| ecdsa(bytes, "nistp521", 133)),
    ("ssh-rsa", rsa),
    ("sk-ssh-ed25519@openssh.com", |bytes| {
        ed25519(bytes)?;
        application(bytes)
    }),
    ("sk-ecdsa-sha2-nistp256@openssh.com", |bytes| {
        ecdsa(bytes, "nistp256", 65)?;
        application(bytes)
    }),
];

/// The kind these bytes are a key of; none where they are anything else.
pub(super) fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    let mut bytes = Reader(bytes);
    let named = bytes.string()?;
    let (name, check) = KINDS.iter().find(|(name, _)| name.as_bytes() == named)?;
    check(&mut bytes)?;
    bytes.0.is_empty().then_some(name)
}

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let (value, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.0 = rest;
        Some(value)
    }

    /// A positive number in its one shortest form.
    fn number(&mut self) -> Option<&'a [u8]> {
        let bytes = self.string()?;
        match bytes {
            [0, second, ..] if *second >= 0x80 => Some(&bytes[1..]),
            [first, ..] if (1..0x80).contains(first) => Some(bytes),
            _ => None,
        }
    }
}

fn ed25519(bytes: &mut Reader<'_>) -> Option<()> {
    (bytes.string()?.len() == 32).then_some(())
}

fn ecdsa(bytes: &mut Reader<'_>, curve: &str, length: usize) -> Option<()> {
    let is_curve = bytes.string()? == curve.as_bytes();
    let point = bytes.string()?;
    // 4 is the mark of a point that is written out.
    (is_curve && point.len() == length && point[0] == 4).then_some(())
}

fn rsa(bytes: &mut Reader<'_>) -> Option<()> {
    let exponent = bytes.number()?;
    let modulus = bytes.number()?;
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    let is_sound = odd(exponent) && exponent != [1] && exponent.len() <= 8 && odd(modulus);
    (is_sound && RSA_BITS.contains(&bits)).then_some(())
}

/// What a security key asks for by name: `ssh:` and perhaps more.
fn application(bytes: &mut Reader<'_>) -> Option<()> {
    let name = bytes.string()?;
    (name.starts_with(b"ssh:") && name.iter().all(u8::is_ascii_graphic)).then_some(())
}
