use super::*;

#[test]
fn a_secret_is_cut_by_its_shape_wherever_it_stands() {
    for secret in [
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
        "xoxb-123456789012-abcdefABCDEF",
        "xoxe.xoxp-1-Mi0yLTE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz0123456789",
        "glpat-abcDEF1234567890abcd",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQD",
        "sk-ant-api03-abcdef0123456789",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3BlbnNzaC1rZXk",
    ] {
        for text in
            [secret.to_owned(), format!("a {secret}"), format!("\"{secret}\",\"b\""), format!("arn:aws:x:::user/{secret}")]
        {
            let cut = redact(&text);
            assert!(cut.contains(REDACTED) && !cut.contains(secret.get(..20).unwrap_or(secret)), "{text} -> {cut}");
            assert_eq!(redact(&cut), cut, "twice is once");
        }
    }
    assert_eq!(redact("postgres://app:hunter2@db.internal/x"), "postgres://app:[redacted]@db.internal/x");
    assert_eq!(redact("mongodb+srv://u:p/w@d@h/?x=1"), "mongodb+srv://u:[redacted]@h/?x=1");
    assert_eq!(redact("Authorization: Bearer abc123def"), "Authorization: [redacted] [redacted]");
    assert_eq!(redact("see https://hooks.slack.com/services/T0/B0/x1y2"), "see https://hooks.slack.com/[redacted]");
}

#[test]
fn a_secret_is_cut_by_the_name_beside_it() {
    for (text, expected) in [
        ("DB_PASSWORD=hunter2 x", "DB_PASSWORD=[redacted] x"),
        ("Server=a;Password=b c;User=d", "Server=a;Password=[redacted] c;User=d"),
        ("https://h/p?token=abc&x=1", "https://h/p?token=[redacted]&x=1"),
        ("password: hunter2", "password: [redacted]"),
        (r#"{"clientSecret":"a b\"c","x":1}"#, r#"{"clientSecret":"[redacted]","x":1}"#),
        (r#"{"p":"{\"secret\":\"a \\\" b\"}"}"#, r#"{"p":"{\"secret\":\"[redacted]\"}"}"#),
        (r#"{"dbPass": 12345}"#, r#"{"dbPass": [redacted]}"#),
        (r#"{"tokens":["a","b"]}"#, r#"{"tokens":[redacted]}"#),
        ("api_key='abc def'", "api_key='[redacted]'"),
        ("tool --password hunter2 --user bob", "tool --password [redacted] --user bob"),
        (r#"x {"name":"DB_PASSWORD","value":"hunter2"}"#, r#"x {"name":"DB_PASSWORD","value":"[redacted]"}"#),
        (r#"x {"value":"hunter2","type":"s","key":"api-token"}"#, r#"x {"value":"[redacted]","type":"s","key":"api-token"}"#),
        ("Key=token,Value=hunter2", "Key=token,Value=[redacted]"),
        (
            r#"[{\"name\":\"token\",\"value\":\"a\"},{\"name\":\"x\",\"value\":\"b\"}]"#,
            r#"[{\"name\":\"token\",\"value\":\"[redacted]\"},{\"name\":\"x\",\"value\":\"b\"}]"#,
        ),
        ("key=abc123def", "key=[redacted]"),
        ("password%3Dhunter2", "password%3D[redacted]"),
        ("the secret was \"token\": \"cut off", "the secret was \"token\": \"[redacted]"),
        ("aws_secret_access_key = abc", "aws_secret_access_key = [redacted]"),
    ] {
        assert_eq!(redact(text), expected);
        assert_eq!(redact(expected), expected, "twice is once");
    }
}

#[test]
fn nearly_every_key_that_was_drawn_by_lot_is_cut_beside_anything() {
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut missed = Vec::new();
    for _ in 0..3_000 {
        let key: String = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            alphabet[usize::try_from(state >> 33).unwrap() % 64]
        })
        .take(40)
        .collect();
        for text in [key.clone(), format!("a/{key}"), format!("\"{key}\"")] {
            if !redact(&text).contains(REDACTED) {
                missed.push(text);
            }
        }
    }
    assert!(missed.len() <= 9, "of 9,000: {missed:?}");
}

#[test]
fn near_misses_stay_readable() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "accessKeyId=AKIAIOSFODNN7EXAMPLE",
        r#"{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","secretArn":"arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/db-AbCdEf"}"#,
        "secretsmanager:GetSecretValue",
        "sts:GetSessionToken",
        r#"{"Action":["secretsmanager:GetSecretValue","iam:CreateAccessKey"],"Resource":"*"}"#,
        r#"{"DateLessThan":{"aws:TokenIssueTime":"2026-01-02T03:04:05Z"}}"#,
        r#"{"passwordResetRequired":true,"minimumPasswordLength":14}"#,
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_AdministratorAccess_0123456789abcdef",
        "arn:aws:iam::111122223333:role/MyAppStack-MyFunctionServiceRoleDefaultPolicy6D69732F-1ABCDEFGHIJKL",
        "arn:aws:sts::111122223333:assumed-role/AmazonSSMRoleForInstancesQuickSetup1/i-0123456789abcdef0",
        "arn:aws:cloudformation:us-east-1:111122223333:stack/MyStack/0a1b2c3d-4e5f-6789-abcd-ef0123456789",
        "arn:aws:states:us-east-1:111122223333:execution:cordon:0a1b2c3d-4e5f-6789-abcd-ef0123456789_0a1b2c3d",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
        "Boto3/1.34 md/Botocore#1.34 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.12 cfg/retry-mode#legacy",
        "aws-cli/2.31.4 md/awscrt#0.27.6 md/command#iam.create-access-key",
        "https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/arn:aws:states:x",
        "https://host:8080/path@x",
        "iam:UntagUser TagKeys=SecurityApproved UserName=bob",
        "Access key `AKIAIOSFODNN7EXAMPLE`: active, last used at `2026-01-02`.",
        "Key=Name,Value=x",
        "AROAJ2UCCR6DPCEXAMPLE:botocore-session-1700000000",
        "A person must put a bot token into the secret.",
        "arn:aws:iam::111122223333:role/AWSServiceRoleForAmazonElasticFileSystem",
        "AWSServiceRoleForAmazonElasticFileSystem",
        "[redacted]",
    ] {
        assert_eq!(redact(text), text);
    }
}

#[test]
fn the_names_of_secrets_are_told_from_names_about_them() {
    for name in ["DB_PASSWORD", "clientSecret", "x-api-key", "token", "sessionToken", "dbPass", "AWS_SECRET_ACCESS_KEY", "cookie"]
    {
        assert!(is_secret_name(name), "{name}");
    }
    for name in
        ["secretId", "accessKeyId", "tokenType", "TokenIssueTime", "passwordResetRequired", "bypass", "compass", "keyUsage"]
    {
        assert!(!is_secret_name(name), "{name}");
    }
}
