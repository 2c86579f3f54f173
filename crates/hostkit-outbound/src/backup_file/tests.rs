use std::io::{Read, Write};

use proptest::prelude::*;

use super::*;

fn key() -> BackupKey {
    BackupKey::generate().unwrap()
}

fn sealed(key: &BackupKey, label: &str, content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::begin(Vec::new(), key, label).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap().0
}

fn opened(key: &BackupKey, label: &str, file: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut content = Vec::new();
    Reader::begin(file, key, label)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Bytes that do not get smaller, so that there are as many chunks as they look like.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

#[track_caller]
fn assert_damaged(result: std::io::Result<Vec<u8>>) {
    let why = result.unwrap_err();
    assert!(is_damage(&why), "{why:?}");
}

#[test]
fn what_was_written_is_read_whatever_its_length() {
    let key = key();
    for length in [0, 1, CHUNK - 30, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7] {
        let content = noise(length);
        assert_eq!(opened(&key, "a", &sealed(&key, "a", &content)).unwrap(), content);
    }
}

#[test]
fn the_figures_are_those_of_the_file() {
    let key = key();
    let content = b"the same again and again ".repeat(10_000);
    let mut writer = Writer::begin(Vec::new(), &key, "a").unwrap();
    for piece in content.chunks(777) {
        writer.write_all(piece).unwrap();
    }
    let (file, figures) = writer.finish().unwrap();

    assert_eq!(figures.bytes, file.len() as u64);
    assert_eq!(figures.hash, blake3::hash(&file));
    assert_eq!(figures.plain_bytes, content.len() as u64);
    assert_eq!(figures.plain_hash, blake3::hash(&content));
    assert!(file.len() < content.len() / 100);
}

#[test]
fn nothing_of_the_content_is_in_the_file() {
    let key = key();
    let canary = b"canary-7d1f0c";
    let file = sealed(&key, "a", canary);

    assert!(!file.windows(canary.len()).any(|window| window == canary));
    assert_ne!(
        file,
        sealed(&key, "a", canary),
        "two files of the same are the same"
    );
}

#[test]
fn another_key_and_another_label_read_nothing() {
    let first = key();
    let file = sealed(&first, "shop/production/12/postgres", b"content");

    assert_damaged(opened(&key(), "shop/production/12/postgres", &file));
    assert_damaged(opened(&first, "shop/production/13/postgres", &file));
}

#[test]
fn chunks_that_are_moved_missing_or_of_another_file_are_refused() {
    let key = key();
    let content = noise(3 * CHUNK);
    let file = sealed(&key, "a", &content);
    let begin = MAGIC.len() + SALT;
    let chunk = |number: usize| begin + number * (CHUNK + TAG)..begin + (number + 1) * (CHUNK + TAG);

    let mut moved = file.clone();
    moved[chunk(0)].copy_from_slice(&file[chunk(1)]);
    moved[chunk(1)].copy_from_slice(&file[chunk(0)]);
    assert_damaged(opened(&key, "a", &moved));

    let mut missing = file.clone();
    missing.drain(chunk(1));
    assert_damaged(opened(&key, "a", &missing));

    let mut foreign = sealed(&key, "a", &content);
    foreign[chunk(1)].copy_from_slice(&file[chunk(1)]);
    assert_damaged(opened(&key, "a", &foreign));

    let mut longer = file.clone();
    longer.extend_from_slice(&file[begin..]);
    assert_damaged(opened(&key, "a", &longer));
}

#[test]
fn a_file_cut_between_two_chunks_has_no_end() {
    let key = key();
    let file = sealed(&key, "a", &noise(3 * CHUNK));
    let cut = &file[..MAGIC.len() + SALT + 2 * (CHUNK + TAG)];

    assert_damaged(opened(&key, "a", cut));
}

#[test]
fn who_goes_on_reading_after_damage_gets_no_end() {
    let key = key();
    let mut file = sealed(&key, "a", &noise(3 * CHUNK));
    let last = file.len() - 1;
    file[last] ^= 1;
    let mut reader = Reader::begin(file.as_slice(), &key, "a").unwrap();
    let mut some = vec![0; CHUNK];

    while reader.read(&mut some).is_ok_and(|read| read > 0) {}

    assert!(is_damage(&reader.read(&mut some).unwrap_err()));
}

#[test]
fn what_is_no_backup_is_refused() {
    for file in [
        "",
        "hostkit",
        "hostkit-backup-1\n",
        "PGDMP and so on and so on, and more than 49 bytes of it",
    ] {
        assert_damaged(opened(&key(), "a", file.as_bytes()));
    }
}

#[test]
fn a_source_that_breaks_off_is_no_damage() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let key = key();
    let file = sealed(&key, "a", &noise(3 * CHUNK));
    let source = file[..CHUNK].chain(Broken);

    let why = Reader::begin(source, &key, "a")
        .unwrap()
        .read_to_end(&mut Vec::new())
        .unwrap_err();

    assert!(!is_damage(&why));
    assert_eq!(why.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_key_is_read_as_it_was_written_and_also_as_people_type_it() {
    let key = key();
    let written = key.written();

    assert_eq!(written.len(), 55 + 10);
    assert_eq!(BackupKey::parse(&written).unwrap(), key);
    let typed = format!("  {}\n", written.to_lowercase().replace('-', " "));
    assert_eq!(BackupKey::parse(&typed).unwrap(), key);
    assert_eq!(BackupKey::parse(&written).unwrap().id(), key.id());
    assert_eq!(format!("{key:?}"), "[redacted]");
}

#[test]
fn mistyped_keys_are_told() {
    let written = key().written();

    assert_eq!(BackupKey::parse(""), Err(KeyError::Length(0)));
    assert_eq!(BackupKey::parse(&written[..64]), Err(KeyError::Length(54)));
    assert_eq!(
        BackupKey::parse(&format!("{}A", &**written)),
        Err(KeyError::Length(56))
    );
    assert_eq!(BackupKey::parse("0"), Err(KeyError::Character('0')));
    let mut wrong = 0;
    for at in (0..written.len()).filter(|at| written.as_bytes()[*at] != b'-') {
        let other = if &written[at..=at] == "A" { "B" } else { "A" };
        let mut text = written.to_string();
        text.replace_range(at..=at, other);
        wrong += usize::from(BackupKey::parse(&text) == Err(KeyError::Mistyped));
    }
    // Of 65,536 mistakes one is not noticed, so one of these may not be.
    assert!(wrong >= 54, "{wrong}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// One bit anywhere, or an end anywhere: always told, and never with an end.
    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed(
        length in 0..3 * CHUNK,
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let key = key();
        let file = sealed(&key, "a", &noise(length));
        let at = at.index(file.len());

        let mut flipped = file.clone();
        flipped[at] ^= 1 << bit;
        prop_assert!(is_damage(&opened(&key, "a", &flipped).unwrap_err()));
        prop_assert!(is_damage(&opened(&key, "a", &file[..at]).unwrap_err()));
    }
}
