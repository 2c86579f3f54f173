//! Images as people have them, and as nobody should: what is made of them.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::io::Cursor;

use hostkit_core::image::{Format, MOST_RESULT, Order, Outcome, Unusable};
use hostkit_images::make;
use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, GenericImageView, ImageFormat, Rgba, RgbaImage};

fn order(width: u32, format: Option<Format>) -> Order {
    Order {
        width,
        quality: 75,
        format,
        svg: false,
    }
}

/// Red on the left, blue on the right.
fn halves(width: u32, height: u32) -> RgbaImage {
    RgbaImage::from_fn(width, height, |x, _| match x * 2 < width {
        true => Rgba([255, 0, 0, 255]),
        false => Rgba([0, 0, 255, 255]),
    })
}

fn written(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let pixels = DynamicImage::ImageRgba8(halves(width, height)).into_rgb8();
    written(DynamicImage::ImageRgb8(pixels), ImageFormat::Jpeg)
}

fn png(width: u32, height: u32) -> Vec<u8> {
    written(DynamicImage::ImageRgba8(halves(width, height)), ImageFormat::Png)
}

/// A JPEG with a note of how its camera was held.
fn turned(way: u8) -> Vec<u8> {
    let plain = jpeg(80, 40);
    let mut note = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    note.extend([way, 0, 0, 0, 0, 0, 0]);
    let length = u16::try_from(note.len() + 2).unwrap().to_be_bytes();
    [&plain[..2], &[0xff, 0xe1], &length, &note, &plain[2..]].concat()
}

fn moving(count: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for _ in 0..count {
        encoder.encode_frame(Frame::new(halves(40, 20))).unwrap();
    }
    drop(encoder);
    bytes
}

fn made(order: &Order, source: &[u8]) -> (Format, DynamicImage) {
    match make(order, source) {
        (Outcome::Made(format), bytes) => {
            let kind = match format {
                Format::Jpeg => ImageFormat::Jpeg,
                Format::Png => ImageFormat::Png,
                Format::Webp => ImageFormat::WebP,
                Format::Gif | Format::Svg => panic!("{format:?} is not made"),
            };
            let image = image::load_from_memory_with_format(&bytes, kind).unwrap();
            (format, image)
        }
        (other, _) => panic!("{other:?}"),
    }
}

fn refused(source: &[u8]) -> Unusable {
    match make(&order(64, Some(Format::Webp)), source) {
        (Outcome::Unusable(why), bytes) if bytes.is_empty() => why,
        (other, _) => panic!("{other:?}"),
    }
}

#[test]
fn every_form_becomes_smaller_and_webp_and_keeps_its_sides_in_proportion() {
    let still = moving(1);
    for source in [jpeg(400, 300), png(400, 300)] {
        let (format, image) = made(&order(100, Some(Format::Webp)), &source);
        assert_eq!((format, image.dimensions()), (Format::Webp, (100, 75)));
        let (left, right) = (image.get_pixel(10, 30), image.get_pixel(90, 30));
        assert!(left[0] > 200 && left[2] < 60, "{left:?}");
        assert!(right[2] > 200 && right[0] < 60, "{right:?}");
    }
    let (format, image) = made(&order(20, Some(Format::Webp)), &still);
    assert_eq!((format, image.dimensions()), (Format::Webp, (20, 10)));
}

#[test]
fn nothing_is_made_wider_than_it_is() {
    let (_, image) = made(&order(3840, Some(Format::Webp)), &png(40, 30));
    assert_eq!(image.dimensions(), (40, 30));
    let (_, image) = made(&order(1, Some(Format::Webp)), &png(400, 3));
    assert_eq!(image.dimensions(), (1, 1));
}

#[test]
fn who_takes_no_webp_gets_the_form_of_the_source_or_one_that_all_know() {
    let of = |source: &[u8]| made(&order(20, None), source).0;
    assert_eq!(of(&jpeg(40, 30)), Format::Jpeg);
    assert_eq!(of(&png(40, 30)), Format::Png);
    assert_eq!(of(&moving(1)), Format::Png);
    let opaque = DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(halves(40, 30)).into_rgb8());
    assert_eq!(of(&written(opaque, ImageFormat::WebP)), Format::Jpeg);
    let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(40, 30, Rgba([9, 9, 9, 90])));
    assert_eq!(of(&written(clear, ImageFormat::WebP)), Format::Png);
}

#[test]
fn what_shines_through_still_does_and_grey_and_deep_colours_are_taken() {
    let clear = DynamicImage::ImageRgba8(RgbaImage::from_pixel(60, 60, Rgba([200, 10, 10, 100])));
    let (_, image) = made(
        &order(30, Some(Format::Webp)),
        &written(clear.clone(), ImageFormat::Png),
    );
    let pixel = image.get_pixel(15, 15);
    assert!(pixel[3].abs_diff(100) < 5 && pixel[0] > 180, "{pixel:?}");
    for other in [
        DynamicImage::ImageLuma8(clear.to_luma8()),
        DynamicImage::ImageLumaA16(clear.to_luma_alpha16()),
        DynamicImage::ImageRgb16(clear.to_rgb16()),
        DynamicImage::ImageRgba16(clear.to_rgba16()),
    ] {
        let (_, image) = made(&order(30, Some(Format::Webp)), &written(other, ImageFormat::Png));
        assert_eq!(image.dimensions(), (30, 30));
    }
}

#[test]
fn a_picture_stands_the_way_its_camera_was_held() {
    // A quarter to the right: what was left is at the top then.
    let (_, image) = made(&order(20, Some(Format::Webp)), &turned(6));
    assert_eq!(image.dimensions(), (20, 40));
    let (top, bottom) = (image.get_pixel(10, 4), image.get_pixel(10, 36));
    assert!(top[0] > 200 && bottom[2] > 200, "{top:?} {bottom:?}");
    let (_, image) = made(&order(40, Some(Format::Webp)), &turned(3));
    assert_eq!(image.dimensions(), (40, 20));
    assert!(image.get_pixel(4, 10)[2] > 200);
    // The one that has nothing to turn, and one that makes no sense.
    for way in [1, 200] {
        let (_, image) = made(&order(40, Some(Format::Webp)), &turned(way));
        assert_eq!(image.dimensions(), (40, 20));
        assert!(image.get_pixel(4, 10)[0] > 200);
    }
    // The note itself is nobody's business.
    let (_, bytes) = make(&order(40, None), &turned(6));
    assert!(!bytes.windows(4).any(|four| four == b"Exif"));
}

#[test]
fn what_moves_is_passed_as_it_is() {
    let source = moving(3);
    assert_eq!(
        make(&order(20, Some(Format::Webp)), &source),
        (Outcome::AsIs(Format::Gif), source)
    );
}

#[test]
fn an_svg_is_passed_only_where_that_was_said_and_never_read() {
    let document = b"\xef\xbb\xbf \n<?xml version=\"1.0\"?><!-- <x> --><svg><script>1</script></svg>";
    assert_eq!(refused(document), Unusable::Svg);
    let allowed = Order {
        svg: true,
        ..order(64, Some(Format::Webp))
    };
    assert_eq!(
        make(&allowed, document),
        (Outcome::AsIs(Format::Svg), document.to_vec())
    );
    let page = b"<!doctype html><html><body>hello</body></html>";
    assert!(matches!(
        make(&allowed, page),
        (Outcome::Unusable(Unusable::NotAnImage), _)
    ));
}

#[test]
fn what_is_no_image_or_breaks_off_is_said_to_be_so() {
    for other in [&b""[..], b"hello", b"%PDF-1.7", b"BM\0\0", b"GIF8", &[0; 4096]] {
        assert_eq!(refused(other), Unusable::NotAnImage, "{other:?}");
    }
    let (jpeg, png) = (jpeg(200, 200), png(200, 200));
    for whole in [&png[..], &moving(1)] {
        for part in [20, whole.len() / 2] {
            assert_eq!(refused(&whole[..part]), Unusable::Broken, "{part}");
        }
    }
    // A JPEG that breaks off may be shown as far as it goes; it must only end.
    for part in 0..jpeg.len().min(700) {
        make(&order(64, Some(Format::Webp)), &jpeg[..part]);
    }
    for at in 0..png.len().min(300) {
        let mut bent = png.clone();
        bent[at] ^= 0x55;
        make(&order(64, Some(Format::Webp)), &bent);
    }
}

#[test]
fn a_few_bytes_that_claim_to_be_a_huge_picture_cost_nothing() {
    let mut claims = png(8, 8);
    claims[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    // The sum over the head is right, as a bomb's would be.
    let sum = crc(&claims[12..29]);
    claims[29..33].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(refused(&claims), Unusable::TooLarge);
    let mut claims = jpeg(64, 64);
    let frame = claims.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    claims[frame + 5..frame + 9].copy_from_slice(&[0x7f, 0xff, 0x7f, 0xff]);
    assert_eq!(refused(&claims), Unusable::TooLarge);
    // Really as large as it says, and nothing but white: some kilobytes.
    let blank = DynamicImage::new_luma8(8000, 6000);
    let bomb = written(blank, ImageFormat::Png);
    assert!(bomb.len() < MOST_RESULT / 4);
    assert_eq!(refused(&bomb), Unusable::TooLarge);
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1))
        })
    })
}
