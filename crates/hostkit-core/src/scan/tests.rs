//! What is a secret and what is none. Whatever looks like a key is put together here, so that no file of this
//! repository has one.

use std::time::{Duration, Instant};

use super::*;

/// Letters and digits as if drawn by chance, always the same.
fn drawn(length: usize) -> String {
    from(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        length,
    )
}

fn from(alphabet: &str, length: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let draw = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        alphabet[(state >> 33) as usize % alphabet.len()]
    });
    draw.take(length).collect()
}

fn hex(length: usize) -> String {
    from("0123456789abcdef", length)
}

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).unwrap()
}

/// The rules that see something, by line.
fn seen(name: &str, text: &str) -> Vec<(usize, &'static str)> {
    let findings = Scanner::new(&[]).look(&path(name), text.as_bytes());
    findings
        .iter()
        .map(|finding| (finding.line, finding.rule))
        .collect()
}

fn jwt(claims: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        encode(r#"{"alg":"HS256","typ":"JWT"}"#),
        encode(claims),
        drawn(43)
    )
}

/// A rule, the file, and a secret in it: what is around it, and itself.
fn secrets() -> Vec<(&'static str, &'static str, String, String)> {
    let key = |title: &str| format!("-----BEGIN {title}PRIVATE {}-----", "KEY");
    let with = |around: &str, secret: &str| (around.replace("{}", secret), secret.to_owned());
    let mut all = Vec::new();
    let mut add = |rule, file, (text, secret): (String, String)| all.push((rule, file, text, secret));
    for title in ["", "RSA ", "OPENSSH "] {
        let body = drawn(64);
        add(
            "private-key",
            "id",
            (format!("{}\n{body}\n{body}\n", key(title)), body),
        );
    }
    let body = drawn(64);
    let json = format!("{{\"private_key\": \"{}\\n{body}\\n\"}}", key(""));
    add("private-key", "account.json", (json, body));
    let base32 = from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16);
    add(
        "aws-access-key",
        "a.py",
        with("key = '{}'", &format!("AKIA{base32}")),
    );
    add(
        "aws-secret-key",
        "a.tf",
        with("aws_secret_access_key = \"{}\"", &drawn(40)),
    );
    add(
        "aws-secret-key",
        "a.js",
        with("secretAccessKey: '{}',", &drawn(40)),
    );
    add(
        "google-api-key",
        "a.js",
        with("load('{}')", &format!("AIza{}", drawn(35))),
    );
    add(
        "google-oauth-secret",
        "a.js",
        with("x('{}')", &format!("GOCSPX-{}", drawn(28))),
    );
    let account = format!("{}==", drawn(86));
    add(
        "azure-storage-key",
        "a.cs",
        with("AccountName=x;AccountKey={};EndpointSuffix=y", &account),
    );
    add(
        "azure-client-secret",
        "a.cs",
        with("x(\"{}\")", &format!("aB18Q~{}", drawn(34))),
    );
    add(
        "stripe-live-key",
        "a.rb",
        with("Stripe.api = '{}'", &format!("sk_live_{}", drawn(24))),
    );
    add(
        "stripe-live-key",
        "bundle.min.js",
        with("a={k:'{}'}", &format!("rk_live_{}", drawn(99))),
    );
    add(
        "stripe-webhook-secret",
        "a.rb",
        with("check('{}')", &format!("whsec_{}", drawn(32))),
    );
    add(
        "github-token",
        "a.sh",
        with(
            "git clone https://x:{}@github.com/a/b",
            &format!("ghp_{}", drawn(36)),
        ),
    );
    let fine_grained = format!("github_pat_{}_{}", drawn(22), drawn(59));
    add("github-token", "a.yml", with("use: {}", &fine_grained));
    add(
        "gitlab-token",
        "a.sh",
        with("curl -H \"x: {}\"", &format!("glpat-{}", drawn(20))),
    );
    let slack = format!(
        "xoxb-{}-{}-{}",
        from("0123456789", 12),
        from("0123456789", 12),
        drawn(24)
    );
    add("slack-token", "a.go", with("slack.New(\"{}\")", &slack));
    let hook = format!("T{}/B{}/{}", "0AB1CD2EF", "3GH4IJ5KL", drawn(24));
    add(
        "slack-webhook",
        "a.go",
        with("\"https://hooks.slack.com/services/{}\"", &hook),
    );
    let openai = format!("sk-proj-{}T3BlbkFJ{}", drawn(58), drawn(58));
    add("openai-key", "a.py", with("OpenAI('{}')", &openai));
    add(
        "openai-key",
        "a.py",
        with("OpenAI('{}')", &format!("sk-{}T3BlbkFJ{}", drawn(20), drawn(20))),
    );
    add(
        "anthropic-key",
        "a.py",
        with("Anthropic('{}')", &format!("sk-ant-api03-{}AA", drawn(93))),
    );
    add(
        "twilio-key",
        "a.py",
        with("Client('{}')", &format!("SK{}", hex(32))),
    );
    add(
        "sendgrid-key",
        "a.py",
        with("send('{}')", &format!("SG.{}.{}", drawn(22), drawn(43))),
    );
    add(
        "npm-token",
        "a.sh",
        with("npm login {}", &format!("npm_{}", drawn(36))),
    );
    add(
        "npm-token",
        ".npmrc",
        with("//registry.npmjs.org/:_authToken={}", &hex(36)),
    );
    add(
        "pypi-token",
        "a.toml",
        with("x = {}", &format!("pypi-AgEIcHlwaS5vcmc{}", drawn(120))),
    );
    add(
        "supabase-key",
        "a.ts",
        with("create(url, '{}')", &format!("sb_secret_{}", drawn(31))),
    );
    add(
        "service-jwt",
        "a.ts",
        with("create(url, '{}')", &jwt(r#"{"role":"service_role","exp":1}"#)),
    );
    add(
        "hostkit-token",
        "ci.yml",
        with("run: x {}", &format!("hk_{}", drawn(43))),
    );
    add(
        "database-url",
        "a.py",
        with(
            "connect('postgres://shop:{}@db.prod-eu.net:5432/shop')",
            "hunter2Xq",
        ),
    );
    add(
        "database-url",
        "a.py",
        with("connect(\"mongodb+srv://shop:{}@c0.mongodb.net\")", &drawn(12)),
    );
    add("env-file", ".env", with("PORT=1\nJWT_SECRET={}\n", "geheim-99"));
    add(
        "env-file",
        "api/.env.production",
        with("export API_TOKEN='{}'", &drawn(20)),
    );
    add(
        "database-url",
        ".env",
        with("DATABASE_URL=postgres://a:{}@db.prod-eu.net/x", "geheim99"),
    );
    add(
        "assigned-secret",
        "a.py",
        with("CLIENT_SECRET = \"{}\"", &drawn(24)),
    );
    add(
        "assigned-secret",
        "a.js",
        with("const config = { apiKey: '{}' }", &drawn(32)),
    );
    add(
        "assigned-secret",
        "a.php",
        with("'auth_token' => '{}',", &hex(32)),
    );
    add("assigned-secret", "a.yml", with("  password: {}", &drawn(24)));
    add(
        "assigned-secret",
        "a.go",
        with("sessionToken := `{}`", &drawn(40)),
    );
    all
}

#[test]
fn every_kind_is_found_and_none_is_told() {
    let all = secrets();
    for (rule, file, text, secret) in &all {
        let findings = Scanner::new(&[]).look(&path(file), format!("\n\n{text}\n").as_bytes());
        let rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
        assert!(rules.contains(rule), "{rule} in {file}: {rules:?}");
        for finding in &findings {
            let said = format!("{finding} {}", serde_json::to_string(finding).unwrap());
            let middle = &secret[secret.len() / 2..];
            assert!(
                !said.contains(secret.as_str()) && !said.contains(middle),
                "{rule}: {said}"
            );
            assert!(finding.line >= 3, "{said}");
        }
    }
    let tried: Vec<&str> = all.iter().map(|(rule, ..)| *rule).collect();
    for rule in rules::RULES {
        assert!(tried.contains(&rule.id), "{} is never tried", rule.id);
        assert!(rule.words.iter().all(|word| *word == word.to_lowercase()));
    }
}

#[test]
fn what_only_looks_like_one_is_left_alone() {
    let anon = jwt(r#"{"role":"anon"}"#);
    let session = jwt(r#"{"sub":"42","exp":1}"#);
    let header = format!("if text.startswith('-----BEGIN {} KEY-----'):", "PRIVATE");
    let integrity = format!("\"integrity\": \"sha512-{}==\"", drawn(86));
    let test_key = format!("key = 'sk_{}_{}'", "test", drawn(24));
    let aws_example = format!("AKIA{}", "IOSFODNN7EXAMPLE");
    let ones = format!("token = 'ghp_{}'", "a".repeat(36));
    let long = format!("id = '{}'", drawn(64));
    let cases: &[(&str, &str)] = &[
        ("a.py", &header),
        ("a.ts", &anon),
        ("a.ts", &session),
        ("package-lock.json", &integrity),
        ("a.py", &test_key),
        ("a.md", &aws_example),
        ("a.py", &ones),
        ("a.py", &long),
        ("a.py", "password = os.environ['PASSWORD_OF_THE_DATABASE']"),
        ("a.js", "const token = process.env.GITHUB_TOKEN_2024_PRODUCTION"),
        ("a.js", "const token = `${process.env.TOKEN}-2024-aB3dE5fG7hI9`"),
        ("a.js", "secret: 'your-secret-goes-here-1234'"),
        ("a.js", "passwordLabel: 'Bitte8Zeichen-und1Zahl'"),
        ("a.js", "tokenUrl: 'https://login.example.com/oauth2/v2.0/token'"),
        ("a.js", "resetTokenPath: '/api/v1/password-reset-2'"),
        ("a.js", "apiKeyHeader: 'X-Api-Key-Version-2'"),
        ("a.js", "secret: 'password-reset-token-v2'"),
        ("a.js", "token: '550e8400-e29b-41d4-a716-446655440000'"),
        (
            "a.js",
            "NEXT_PUBLIC_KEY_token_public_key = 'abcDEF123456ghiJKL789'",
        ),
        (
            "a.py",
            "connect('postgres://postgres:postgres@localhost:5432/shop')",
        ),
        ("a.py", "connect('postgres://shop:hunter2Xq@db:5432/shop')"),
        (
            "a.py",
            "connect('postgres://shop:hunter2Xq@db.example.com:5432/shop')",
        ),
        ("a.py", "connect(f'postgres://{user}:{password}@{host}/shop')"),
        ("a.py", "connect('postgres://shop:$PASSWORD@db.prod-eu.net/shop')"),
        ("a.md", "see https://user:password@db.prod-eu.net/"),
        (
            ".env.example",
            "JWT_SECRET=replace-me-with-32-characters\nAPI_TOKEN=",
        ),
        (
            ".env",
            "PORT=3000\nNEXT_PUBLIC_SITE_KEY=abcdefgh12345\nJWT_SECRET=\nTOKEN=${FROM_ELSEWHERE}\nNODE_ENV=production",
        ),
        (
            ".env",
            "DATABASE_URL=postgres://postgres:postgres@localhost:5432/shop",
        ),
        ("a.yml", "secret: my-secret-name-in-the-cluster"),
        ("a.yml", "api_key: ${{ secrets.API_KEY_2024 }}"),
        ("a.yml", "token_type: ServiceAccountToken2"),
    ];
    for (name, text) in cases {
        assert_eq!(seen(name, text), [], "{name}: {text}");
    }
}

#[test]
fn a_comment_allows_a_line_and_the_one_below() {
    let line = format!("key = 'sk_live_{}'", drawn(24));
    assert_eq!(seen("a.py", &format!("{line}  # hostkit:allow-secret")), []);
    assert_eq!(seen("a.py", &format!("# hostkit:allow-secret\n{line}\n")), []);
    assert_eq!(
        seen("a.py", &format!("# hostkit:allow-secret\n\n{line}\n{line} # no")),
        [(3, "stripe-live-key"), (4, "stripe-live-key")]
    );
}

#[test]
fn patterns_are_those_of_gitignore() {
    let scanner = Scanner::new(&[
        "tests/".into(),
        "*.pem".into(),
        "/docs/**/*.md".into(),
        "a/b".into(),
    ]);
    let choose = |name: &str| scanner.choose(&path(name), 1);
    for name in [
        "tests/a.py",
        "api/tests/deep/a.py",
        "x.pem",
        "a/x.pem",
        "docs/a/b.md",
        "docs/b.md",
        "a/b",
        "a/b/c",
    ] {
        assert_eq!(choose(name), Choice::Ignored, "{name}");
    }
    for name in [
        "src/tests.py",
        "pem",
        "x.pem.txt",
        "api/docs/b.md",
        "x/a/b",
        "docs/b.txt",
    ] {
        assert_eq!(choose(name), Choice::Look, "{name}");
    }
    assert_eq!(scanner.choose(&path("big"), MAX_FILE_BYTES + 1), Choice::TooLarge);
    let nested = "{a,".repeat(60);
    for pattern in ["", "!a", "[", "a{", nested.as_str(), &"a".repeat(300)] {
        assert!(check_pattern(pattern).is_err(), "{pattern}");
        // Nothing that is no pattern breaks a scan.
        assert_eq!(
            Scanner::new(&[pattern.to_owned()]).choose(&path("b"), 1),
            Choice::Look
        );
    }
}

#[test]
fn what_is_no_text_or_no_unicode_breaks_nothing() {
    let line = format!("key = 'sk_live_{}'", drawn(24));
    let look = |bytes: &[u8]| Scanner::new(&[]).look(&path("a"), bytes).len();
    assert_eq!(look(b""), 0);
    assert_eq!(look(format!("\0\0{line}").as_bytes()), 0);
    let mut latin = b"caf\xe9 \xff\xfe \xc3\x28\n".to_vec();
    latin.extend_from_slice(line.as_bytes());
    assert_eq!(look(&latin), 1);
    let mut around = line.clone().into_bytes();
    around.insert(0, 0xff);
    around.push(0xff);
    assert_eq!(look(&around), 1);
    for byte in 0..=255_u8 {
        look(&[byte; 300]);
    }
}

#[test]
fn a_secret_in_the_middle_of_a_huge_line_is_found() {
    let secret = format!("'sk_live_{}'", drawn(24));
    for before in [0, 199, 1800, 2000, 2001, 100_000] {
        let text = format!("{}{secret}{}", "x ".repeat(before), "; token".repeat(50_000));
        assert_eq!(seen("a.js", &text), [(1, "stripe-live-key")], "{before}");
    }
    // Also where every word of every rule stands before it.
    let words: String = rules::RULES
        .iter()
        .flat_map(|rule| rule.words)
        .map(|word| format!("{word} "))
        .collect();
    let text = format!("{}{secret}", words.repeat(500));
    assert_eq!(seen("a.js", &text), [(1, "stripe-live-key")]);
}

#[test]
fn time_grows_with_bytes_alone_whatever_they_are() {
    let words: String = rules::RULES.iter().flat_map(|rule| rule.words).copied().collect();
    let size = 64 * 1024;
    let hostile = [
        "token=".repeat(size / 6),
        "secretsecretsecret:'".repeat(size / 20),
        format!("{}{}", "a".repeat(size / 2), "://".repeat(size / 6)),
        "eyJ".repeat(size / 3),
        "eyJaaaaaaaaaaa.".repeat(size / 15),
        words.repeat(size / words.len()),
        "\n".repeat(size),
        format!("-----BEGIN PRIVATE {}-----", "KEY").repeat(size / 30),
        "postgres://a:b".repeat(size / 14),
        format!("key='sk_live_{}'\n", drawn(24)).repeat(size / 40),
    ];
    for text in &hostile {
        let begun = Instant::now();
        for name in ["a.js", ".env", "a.yml"] {
            assert!(Scanner::new(&[]).look(&path(name), text.as_bytes()).len() <= MAX_PER_FILE);
        }
        // Far above what it takes even on a busy machine without optimisation; what grows faster takes hours.
        assert!(begun.elapsed() < Duration::from_secs(60), "{}", &text[..20]);
    }
}

#[test]
fn most_names_say_nothing() {
    assert!(is_judged_by_content(&path("src/a.ts")));
    for name in [".env", "a/.env.local", "a.yml", "package-lock.json", "x.min.js"] {
        assert!(!is_judged_by_content(&path(name)), "{name}");
    }
}
