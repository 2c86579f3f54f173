//! From the bytes of a source to pixels of the size wanted: bounds before anything is decoded, the way up that its
//! camera noted, colours as screens show them.

use std::io::Cursor;

use fast_image_resize::{ResizeOptions, Resizer};
use hostkit_core::image::{Format, MOST_PIXELS, MOST_RESULT, Order, Outcome, Unusable};
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::encode::encode;

/// The most memory one decoder may ask for: all pixels with 16 bits for each of four colours.
const MOST_MEMORY: u64 = MOST_PIXELS * 8;
/// The longest side taken.
const LONGEST_SIDE: u32 = 32_767;
/// Where the root of an SVG is looked for.
const BEGINNING: usize = 4096;

/// Makes what was ordered of a source. The bytes are those of the image; none where there is none.
pub fn make(order: &Order, source: &[u8]) -> (Outcome, Vec<u8>) {
    match try_make(order, source) {
        Ok((outcome, image)) if image.len() <= MOST_RESULT => (outcome, image),
        Ok(_) => (Outcome::Unusable(Unusable::TooLarge), Vec::new()),
        Err(why) => (Outcome::Unusable(why), Vec::new()),
    }
}

fn try_make(order: &Order, source: &[u8]) -> Result<(Outcome, Vec<u8>), Unusable> {
    let as_is = |format| Ok((Outcome::AsIs(format), source.to_vec()));
    let format = match image::guess_format(source) {
        Ok(ImageFormat::Jpeg) => Format::Jpeg,
        Ok(ImageFormat::Png) => Format::Png,
        Ok(ImageFormat::Gif) => Format::Gif,
        Ok(ImageFormat::WebP) => Format::Webp,
        _ if is_svg(source) && order.svg => return as_is(Format::Svg),
        _ if is_svg(source) => return Err(Unusable::Svg),
        _ => return Err(Unusable::NotAnImage),
    };
    let mut reader = ImageReader::new(Cursor::new(source))
        .with_guessed_format()
        .map_err(|_| Unusable::NotAnImage)?;
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(why)?;
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Unusable::Broken);
    }
    if u64::from(width) * u64::from(height) > MOST_PIXELS || width.max(height) > LONGEST_SIDE {
        return Err(Unusable::TooLarge);
    }
    if moves(format, source)? {
        return as_is(format);
    }
    // What a camera notes about its picture may be missing or nonsense; the picture is there all the same.
    let orientation = decoder.orientation().ok();
    let profile = decoder.icc_profile().ok().flatten();
    let mut image = plain(DynamicImage::from_decoder(decoder).map_err(why)?);
    let is_turned = orientation.is_some_and(|way| {
        use image::metadata::Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
        matches!(way, Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH)
    });
    // The turn costs least on what is small already.
    let (across, along) = if is_turned {
        (height, width)
    } else {
        (width, height)
    };
    if order.width < across {
        let along = scaled(along, order.width, across);
        let (width, height) = if is_turned {
            (along, order.width)
        } else {
            (order.width, along)
        };
        image = resize(&image, width, height)?;
    }
    if let Some(orientation) = orientation {
        image.apply_orientation(orientation);
    }
    if let Some(profile) = profile {
        image = to_srgb(image, &profile);
    }
    encode(order, format, &image).map(|(format, bytes)| (Outcome::Made(format), bytes))
}

/// `length`, made shorter as `of` becomes `to`.
fn scaled(length: u32, to: u32, of: u32) -> u32 {
    let scaled = (u64::from(length) * u64::from(to) + u64::from(of) / 2) / u64::from(of);
    u32::try_from(scaled).unwrap_or(LONGEST_SIDE).max(1)
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MOST_MEMORY);
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits
}

fn why(error: ImageError) -> Unusable {
    match error {
        ImageError::Limits(_) => Unusable::TooLarge,
        ImageError::Unsupported(_) => Unusable::NotAnImage,
        _ => Unusable::Broken,
    }
}

/// Whether it is more than one picture. Of a GIF that shows only by reading up to the second one.
fn moves(format: Format, source: &[u8]) -> Result<bool, Unusable> {
    let source = Cursor::new(source);
    Ok(match format {
        Format::Gif => {
            let mut decoder = GifDecoder::new(source).map_err(why)?;
            decoder.set_limits(limits()).map_err(why)?;
            decoder.into_frames().take(2).filter(Result::is_ok).count() > 1
        }
        Format::Png => PngDecoder::with_limits(source, limits())
            .and_then(|decoder| decoder.is_apng())
            .map_err(why)?,
        Format::Webp => WebPDecoder::new(source).map_err(why)?.has_animation(),
        Format::Jpeg | Format::Svg => false,
    })
}

/// Whether it is a document whose root is an SVG. Only its beginning is looked at; it is never parsed here.
fn is_svg(source: &[u8]) -> bool {
    let beginning = &source[..source.len().min(BEGINNING)];
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    text.trim_ascii_start().starts_with(b"<") && text.windows(4).any(|four| four == b"<svg")
}

/// With 8 bits for each of three colours, or four where something shines through.
fn plain(image: DynamicImage) -> DynamicImage {
    match image {
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => image,
        other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    }
}

fn resize(image: &DynamicImage, width: u32, height: u32) -> Result<DynamicImage, Unusable> {
    let mut smaller = DynamicImage::new(width, height, image.color());
    Resizer::new()
        .resize(image, &mut smaller, &ResizeOptions::new())
        .map_err(|_| Unusable::Broken)?;
    Ok(smaller)
}

/// The colours of a profile as those that are meant where no profile is named: what is made has none. A profile that
/// cannot be used is no reason to show nothing.
fn to_srgb(image: DynamicImage, profile: &[u8]) -> DynamicImage {
    let converted = |pixels: &[u8], layout: Layout| {
        let from = ColorProfile::new_from_slice(profile).ok()?;
        if from.color_space != DataColorSpace::Rgb {
            return None;
        }
        let to = ColorProfile::new_srgb();
        let transform = from
            .create_transform_8bit(layout, &to, layout, TransformOptions::default())
            .ok()?;
        let mut made = vec![0; pixels.len()];
        transform.transform(pixels, &mut made).ok()?;
        Some(made)
    };
    let (width, height) = (image.width(), image.height());
    let made = match &image {
        DynamicImage::ImageRgb8(pixels) => converted(pixels.as_raw(), Layout::Rgb)
            .and_then(|made| image::RgbImage::from_raw(width, height, made))
            .map(DynamicImage::ImageRgb8),
        DynamicImage::ImageRgba8(pixels) => converted(pixels.as_raw(), Layout::Rgba)
            .and_then(|made| image::RgbaImage::from_raw(width, height, made))
            .map(DynamicImage::ImageRgba8),
        _ => None,
    };
    made.unwrap_or(image)
}
