//! Images in other sizes on a server: the process that makes them starts below what the front door's unit allows.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, World};

use crate::apps::{deploy, write_app};
use crate::installed::server;

/// 2 × 1 pixels, red and blue.
const PICTURE: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 0, 123,
    64, 232, 221, 0, 0, 0, 13, 73, 68, 65, 84, 120, 156, 99, 248, 207, 0, 4, 255, 1, 7, 0, 1, 255, 226, 35,
    158, 89, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
];

#[test]
#[ignore = "lane host: boots a machine"]
fn images_are_made_below_the_unit_of_the_front_door() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    machine.exec(&["hostkit", "project", "create", "pictures"]).ok();
    let files = [("index.html", "home"), ("hostkit.toml", "[images]\n")];
    write_app(&machine, "pictures", &files);
    machine.write(PICTURE, "/root/apps/pictures/a.png", 0o644);
    deploy(&machine, "pictures").ok();
    let place = || Place::on(&machine, 80);
    let host = "pictures.apps.example.com";
    for result in ["MISS", "HIT"] {
        let made = http::get(place(), host, "/_hostkit/image?url=%2Fa.png&w=16");
        assert_eq!(made.status, 200, "{}", made.body);
        assert_eq!(made.header("content-type"), Some("image/png"));
        assert_eq!(made.header("x-hostkit-cache"), Some(result));
    }
    let page = http::get(place(), host, "/_hostkit/image?url=%2Findex.html&w=16");
    assert_eq!(page.status, 400, "{}", page.body);
}
