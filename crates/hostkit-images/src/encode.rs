//! From pixels to the bytes of an image. Nothing of what a camera notes beside a picture, such as where it was taken, goes
//! along.

use hostkit_core::image::{Format, Order, Unusable};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{DynamicImage, ExtendedColorType, ImageEncoder};

/// Writes an image in the form that was ordered, or else in one like its source's that every browser shows.
pub(crate) fn encode(
    order: &Order,
    source: Format,
    image: &DynamicImage,
) -> Result<(Format, Vec<u8>), Unusable> {
    let (width, height) = (image.width(), image.height());
    let format = match (order.format, source) {
        (Some(Format::Webp), _) => Format::Webp,
        (_, Format::Jpeg) => Format::Jpeg,
        (_, Format::Webp) if !image.color().has_alpha() => Format::Jpeg,
        _ => Format::Png,
    };
    let mut bytes = Vec::new();
    let written = match format {
        Format::Webp => {
            let encoder = match image {
                DynamicImage::ImageRgba8(pixels) => webp::Encoder::from_rgba(pixels, width, height),
                DynamicImage::ImageRgb8(pixels) => webp::Encoder::from_rgb(pixels, width, height),
                _ => return Err(Unusable::Broken),
            };
            let made = encoder.encode_simple(false, f32::from(order.quality));
            let made = made.map_err(|_| Unusable::TooLarge)?;
            return Ok((format, made.to_vec()));
        }
        Format::Jpeg => JpegEncoder::new_with_quality(&mut bytes, order.quality).encode(
            image.as_bytes(),
            width,
            height,
            ExtendedColorType::Rgb8,
        ),
        _ => PngEncoder::new_with_quality(&mut bytes, CompressionType::Default, FilterType::Adaptive)
            .write_image(image.as_bytes(), width, height, image.color().into()),
    };
    written.map(|()| (format, bytes)).map_err(|_| Unusable::TooLarge)
}
