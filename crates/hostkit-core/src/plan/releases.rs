//! Which releases may go.

use crate::names::ReleaseName;

/// The releases to remove, oldest first, so that whoever is interrupted has removed the least useful ones.
/// The newest `keep` stay, and so do the live and the previous one, however old they are.
pub fn to_remove(
    newest_first: &[ReleaseName],
    live: Option<&ReleaseName>,
    previous: Option<&ReleaseName>,
    keep: usize,
) -> Vec<ReleaseName> {
    newest_first
        .iter()
        .skip(keep)
        .filter(|release| Some(*release) != live && Some(*release) != previous)
        .rev()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(n: usize) -> ReleaseName {
        ReleaseName::parse(&format!("20250215-1200{n:02}")).unwrap()
    }

    #[test]
    fn the_oldest_go_but_never_the_live_and_the_previous_one() {
        for (count, live, previous, keep, removed) in [
            (0, None, None, 5, vec![]),
            (5, Some(4), Some(3), 5, vec![]),
            (7, Some(6), Some(5), 5, vec![0, 1]),
            (7, Some(0), Some(6), 5, vec![1]),
            (7, Some(1), Some(0), 5, vec![]),
            (4, Some(3), Some(0), 2, vec![1]),
            (4, Some(3), None, 2, vec![0, 1]),
            (3, None, None, 0, vec![0, 1, 2]),
            (3, Some(9), Some(8), 1, vec![0, 1]),
        ] {
            let releases: Vec<ReleaseName> = (0..count).rev().map(release).collect();
            let (live, previous) = (live.map(release), previous.map(release));
            let found = to_remove(&releases, live.as_ref(), previous.as_ref(), keep);
            let expected: Vec<ReleaseName> = removed.into_iter().map(release).collect();
            assert_eq!(
                found, expected,
                "{count} releases, {live:?} live, {previous:?} before it, {keep} kept"
            );
        }
    }
}
