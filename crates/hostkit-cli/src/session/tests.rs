use super::*;

#[test]
fn folder_names_become_project_names() {
    for (folder, name) in [
        ("/home/me/shop", Some("shop")),
        ("/home/me/My Shop!", Some("my-shop")),
        ("/x/Über_App.v2", Some("ber-app-v2")),
        ("/x/2024-site", Some("site")),
        ("/x/a--b", Some("a-b")),
        ("/x/ab", None),
        ("/x/123", None),
        ("/", None),
        ("/x/hostkit", None),
        (
            "/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbb",
            Some("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ),
    ] {
        assert_eq!(
            name_of_folder(Path::new(folder))
                .as_ref()
                .map(ProjectName::as_str),
            name,
            "{folder}"
        );
    }
}
