//! Frames, there and back, and what is refused.

use super::*;

#[test]
fn frames_survive_the_way_there_and_back() {
    for input in [
        Input::Bytes(b"ls\n\0".to_vec()),
        Input::End,
        Input::Resize {
            rows: 50,
            columns: 300,
        },
    ] {
        assert_eq!(Input::decode(&input.encode()).unwrap(), input);
    }
    for output in [
        Output::Out(Vec::new()),
        Output::Err(vec![0, 255]),
        Output::Exit(-1),
        Output::Exit(137),
        Output::Failure(Failure::new(Kind::NotFound, "cannot run `x`: no such program").hint("look")),
    ] {
        assert_eq!(Output::decode(&output.encode()).unwrap(), output);
    }
}

#[test]
fn unknown_frames_are_refused() {
    for frame in [&[][..], &[7, 1], &[RESIZE, 1], &[RESIZE, 1, 2, 3, 4, 5]] {
        assert_eq!(Input::decode(frame).unwrap_err().kind, Kind::Invalid);
    }
    for frame in [&[][..], &[0], &[EXIT, 1], &[FAILURE, b'{']] {
        assert_eq!(Output::decode(frame).unwrap_err().kind, Kind::Invalid);
    }
}

#[test]
fn any_frame_is_read_or_refused_and_reads_back() {
    // The same frames every time: a linear congruential generator.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    for _ in 0..50_000 {
        let length = usize::from(next() % 12);
        let mut frame: Vec<u8> = (0..length).map(|_| next()).collect();
        if let Some(channel) = frame.first_mut() {
            *channel %= 6;
        }
        if let Ok(input) = Input::decode(&frame) {
            assert_eq!(input.encode(), frame);
        }
        if let Ok(output) = Output::decode(&frame) {
            assert_eq!(Output::decode(&output.encode()).unwrap(), output);
        }
    }
}
