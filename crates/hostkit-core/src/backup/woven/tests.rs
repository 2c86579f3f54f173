use proptest::prelude::*;

use super::*;

/// What comes of bytes that come in pieces of a length, put together by strand.
fn unwoven(bytes: &[u8], length: usize) -> Result<Vec<Vec<u8>>, Broken> {
    let mut reader = Unweaver::default();
    let mut strands = Vec::new();
    for piece in bytes.chunks(length.max(1)) {
        for taken in reader.take(piece)? {
            strands.resize(reader.strands(), Vec::new());
            strands[taken.strand].extend(taken.bytes);
        }
    }
    reader.finish()?;
    Ok(strands)
}

/// Strands woven as they are read: the head of the first, then a frame of each in turn.
fn woven(strands: &[Vec<u8>], length: usize) -> Vec<u8> {
    let length = length.clamp(1, MOST_BYTES);
    let head = strands[0].len().min(HEAD);
    let mut bytes = beginning(strands.len());
    for piece in strands[0][..head].chunks(length) {
        bytes.extend(frame(0, piece));
    }
    let mut rest: Vec<&[u8]> = strands.iter().map(Vec::as_slice).collect();
    rest[0] = &rest[0][head..];
    if rest[0].is_empty() {
        bytes.extend(frame(0, &[]));
    }
    let mut open: Vec<usize> = (usize::from(rest[0].is_empty())..rest.len()).collect();
    while !open.is_empty() {
        open.retain(|&strand| {
            let (now, left) = rest[strand].split_at(rest[strand].len().min(length));
            bytes.extend(frame(strand, now));
            rest[strand] = left;
            !now.is_empty()
        });
    }
    bytes.extend(end());
    bytes
}

fn strands() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let strand = proptest::collection::vec(any::<u8>(), 0..200);
    proptest::collection::vec(strand, 1..=MOST_STRANDS)
}

proptest! {
    #[test]
    fn what_was_woven_comes_apart_as_it_was(strands in strands(), length in 1usize..90, pieces in 1usize..70) {
        prop_assert_eq!(unwoven(&woven(&strands, length), pieces), Ok(strands));
    }

    #[test]
    fn one_that_is_cut_short_is_never_whole(strands in strands(), at in any::<prop::sample::Index>()) {
        let bytes = woven(&strands, 40);
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(unwoven(cut, 17), Err(Broken::CutShort));
    }

    #[test]
    fn no_bytes_bring_more_out_than_in(garbage in proptest::collection::vec(any::<u8>(), 0..400), with_magic: bool) {
        let bytes = match with_magic {
            true => [&beginning(2)[..], &garbage].concat(),
            false => garbage,
        };
        if let Ok(strands) = unwoven(&bytes, 7) {
            prop_assert!(strands.concat().len() < bytes.len());
        }
    }

    #[test]
    fn how_it_is_cut_into_pieces_changes_nothing(changed in any::<prop::sample::Index>(), to: u8, length in 1usize..70) {
        let mut bytes = woven(&[vec![1; 60], vec![2; 90]], 40);
        let index = changed.index(bytes.len());
        bytes[index] = to;
        prop_assert_eq!(unwoven(&bytes, length), unwoven(&bytes, bytes.len()));
    }
}

#[test]
fn what_lies_is_refused_for_what_it_is() {
    let two = beginning(2);
    let whole = frame(0, &[]);
    let long = u32::try_from(MOST_BYTES + 1).unwrap();
    let too_long = [&[0][..], &long.to_le_bytes()].concat();
    let cases: [(&[&[u8]], Broken); 12] = [
        (&[b"PGDMP this is another"], Broken::NotWoven),
        (&[MAGIC, &[0]], Broken::Strands(0)),
        (&[MAGIC, &[5]], Broken::Strands(5)),
        (&[&two, &frame(2, b"x")], Broken::Unknown(2)),
        (&[&two, &too_long], Broken::Length(long)),
        (&[&two, &[0, 255, 255, 255, 255]], Broken::Length(u32::MAX)),
        (&[&two, &[255, 1, 0, 0, 0, 1]], Broken::Length(1)),
        (&[&two, &frame(0, b"x"), &frame(1, b"x")], Broken::Order),
        (&[&two, &whole, &frame(0, b"x")], Broken::Ended(0)),
        (&[&two, &whole, &end()], Broken::Unfinished),
        (&[&two, &whole, &frame(1, &[]), &end(), b"x"], Broken::After),
        (&[&two, &whole, &frame(1, &[])], Broken::CutShort),
    ];
    for (pieces, why) in cases {
        assert_eq!(unwoven(&pieces.concat(), 3), Err(why), "{pieces:?}");
    }
}

#[test]
fn others_come_once_the_head_of_the_first_is_there() {
    let strands = vec![vec![7; HEAD + 5], vec![8; 3]];
    let bytes = woven(&strands, MOST_BYTES);
    assert_eq!(unwoven(&bytes, 64 << 10), Ok(strands));
}
