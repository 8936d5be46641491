//! What is said of expressions that mean nothing.

use super::*;
use crate::kv::{Set, item};

/// Values of all types, each by its type's name in small letters.
fn values() -> Item {
    item! {
        ":s" => "text", ":n" => 1, ":two" => 2, ":b" => bytes::Bytes::from_static(b"b"), ":bool" => true, ":null" => (),
        ":l" => [1], ":m" => item! { "x" => 1 },
        ":ss" => Set::new(["a".to_owned()]).unwrap(),
        ":ns" => AttributeValue::number_set([1]).unwrap(),
        ":typ" => "SS", ":bad" => "X",
    }
}

fn error(kind: ExpressionKind, text: &str) -> Error {
    let names = names(&[("#a", "a"), ("#dot", "a.b"), ("#status", "status")]);
    let (names, values) = used(text, &names, &values());
    let result = match kind {
        ExpressionKind::Condition => Condition::parse(text, &names, &values).map(drop),
        ExpressionKind::Filter => {
            PreparedCondition::filter(text, &names).and_then(|p| p.bind(&values)).map(drop)
        }
        ExpressionKind::KeyCondition => KeyCondition::parse(text, &names, &values).map(drop),
        ExpressionKind::Projection => Projection::parse(text, &names).map(drop),
        ExpressionKind::Update => Update::parse(text, &names, &values).map(drop),
    };
    result.map(|()| panic!("{kind} {text} is accepted")).unwrap_err()
}

fn check(kind: ExpressionKind, text: &str, reason: &str) {
    let error = error(kind, text);
    assert_eq!(error.code(), "ValidationException");
    assert_eq!(error.to_string(), format!("Invalid {kind}: {reason}"), "{text}");
}

fn syntax(kind: ExpressionKind, text: &str, token: &str, near: &str) {
    check(kind, text, &format!("Syntax error; token: \"{token}\", near: \"{near}\""));
}

use ExpressionKind::{Condition as C, Filter as F, KeyCondition as K, Projection as P, Update as U};

#[test]
fn syntax_errors_say_where() {
    syntax(U, "INVALID SYNTAX HERE", "INVALID", "INVALID SYNTAX");
    syntax(U, "ADD hits : incr", ":", "hits : incr");
    syntax(U, "SET a = ", "<EOF>", "=");
    syntax(U, "SET", "<EOF>", "SET");
    syntax(U, "SET a = :n + :n + :n", "+", ":n + :n");
    syntax(U, "SET a = list_append(:l + :l, :l)", "+", ":l + :l");
    syntax(U, "REMOVE a, ", "<EOF>", ",");
    syntax(U, "ADD a b", "b", "a b");
    syntax(U, "SET a", "<EOF>", "a");
    syntax(C, "a", "<EOF>", "a");
    syntax(C, "!!!", "!", "!!");
    syntax(C, "a = :n AND", "<EOF>", "AND");
    syntax(C, "(a = :n", "<EOF>", ":n");
    syntax(C, "a = :n)", ")", ":n)");
    syntax(C, "a == :n", "=", "== :n");
    syntax(C, "_a = :n", "_", "_a");
    syntax(C, "1a = :n", "1", "1a");
    syntax(C, "a BETWEEN :n OR :two", "OR", ":n OR :two");
    syntax(C, "a IN :n", ":n", "IN :n");
    syntax(C, "a IN ()", ")", "()");
    syntax(C, ":n", "<EOF>", ":n");
    syntax(C, "(a) AND b = :n", ")", "a) AND");
    syntax(C, "a[-1] = :n", "-", "[-1");
    syntax(C, "a[#a] = :n", "#a", "[#a]");
    syntax(C, "a. = :n", "=", ". = :n");
    syntax(C, "AND a = :n", "AND", "AND a");
    syntax(F, "a > between", "between", "> between");
    syntax(C, "a.in = :n", "in", ".in =");
    syntax(U, "SET a=set", "set", "=set");
    syntax(U, "REMOVE a, add b :n", "add", ", add b");
    syntax(P, "a b", "b", "a b");
    syntax(P, "a,", "<EOF>", ",");
    syntax(P, "#", "#", "#");
    syntax(F, "a = :n b", "b", ":n b");
    syntax(K, "a = :n AND NOT", "<EOF>", "NOT");
}

#[test]
fn nothing_is_no_expression() {
    for kind in [C, F, K, P, U] {
        for text in ["", " ", "\t\r\n"] {
            check(kind, text, "The expression can not be empty;");
        }
    }
}

#[test]
fn reserved_words() {
    for text in ["status = :s", "a.status = :s", "a = :s OR STATUS = :n"] {
        let word = if text.contains("STATUS") { "STATUS" } else { "status" };
        check(C, text, &format!("Attribute name is a reserved keyword; reserved keyword: {word}"));
    }
    check(P, "a, Size", "Attribute name is a reserved keyword; reserved keyword: Size");
    check(U, "REMOVE data", "Attribute name is a reserved keyword; reserved keyword: data");
    check(C, "SET = :n", "Attribute name is a reserved keyword; reserved keyword: SET");
}

#[test]
fn placeholders_are_defined() {
    let value = "An expression attribute value used in expression is not defined; attribute value: :x";
    let name = "An expression attribute name used in the document path is not defined; attribute name: #x";
    for (kind, text) in
        [(C, "a = :x"), (U, "SET a = :x"), (U, "ADD a :x"), (K, "a = :x"), (F, "size(a) > :x")]
    {
        check(kind, text, value);
    }
    for (kind, text) in
        [(C, "#x = :n"), (U, "REMOVE #x"), (P, "a.#x"), (C, "a = :n AND attribute_exists(#x)")]
    {
        check(kind, text, name);
    }
    check(C, "#x = :x", name);
    check(C, ":x = #x", value);
}

#[test]
fn all_placeholders_are_used() {
    let refusal = |text: &str, names: &Names, values: &Item| {
        Condition::parse(text, names, values).map(drop).unwrap_err().to_string()
    };
    assert_eq!(
        refusal("a = :n", &names(&[("#a", "a")]), &item! { ":n" => 1 }),
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"
    );
    assert_eq!(
        refusal("a = :n", &names(&[]), &item! { ":n" => 1, ":m" => 2, ":o" => 3 }),
        "Value provided in ExpressionAttributeValues unused in expressions: keys: {:m, :o}"
    );
    let prepared = PreparedUpdate::new("SET a = :n", &names(&[])).unwrap();
    assert!(prepared.bind(&item! { ":n" => 1, ":m" => 2 }).unwrap_err().to_string().contains("{:m}"));
    assert!(PreparedUpdate::new("SET a = :n", &names(&[("#a", "a")])).is_err());
}

#[test]
fn functions() {
    check(C, "foo(a)", "Invalid function name; function: foo");
    check(C, "Size(a) = :n", "Invalid function name; function: Size");
    check(C, "attribute_Exists(a)", "Invalid function name; function: attribute_Exists");
    check(U, "SET a = foo(a)", "Invalid function name; function: foo");
    for function in ["size", "attribute_exists", "attribute_not_exists"] {
        let text = format!("The function is not allowed in an update expression; function: {function}");
        check(U, &format!("SET a = {function}(a)"), &text);
    }
    for function in ["contains", "begins_with", "attribute_type"] {
        let text = format!("The function is not allowed in an update expression; function: {function}");
        check(U, &format!("SET a = {function}(a, :s)"), &text);
    }
    for function in ["list_append", "if_not_exists"] {
        let text = format!("The function is not allowed in a condition expression; function: {function}");
        check(C, &format!("{function}(a, b)"), &text);
        check(C, &format!("a = {function}(a, b)"), &text);
    }
    let operands = |function: &str, count: u32| {
        format!(
            "Incorrect number of operands for operator or function; operator or function: {function}, \
             number of operands: {count}"
        )
    };
    check(C, "attribute_exists(a, b)", &operands("attribute_exists", 2));
    check(C, "contains(a)", &operands("contains", 1));
    check(C, "size(a, b) = :n", &operands("size", 2));
    check(U, "SET a = if_not_exists(a)", &operands("if_not_exists", 1));
    check(U, "SET a = list_append(a, b, c)", &operands("list_append", 3));
    let misused = |function: &str| {
        format!("The function is not allowed to be used this way in an expression; function: {function}")
    };
    check(C, "size(a)", &misused("size"));
    check(C, "NOT size(a)", &misused("size"));
    check(C, "attribute_exists(a) = :bool", &misused("attribute_exists"));
    check(C, "a = contains(a, b)", &misused("contains"));
    check(C, "size(attribute_exists(a)) = :n", &misused("attribute_exists"));
    check(C, "contains(a, begins_with(b, :s))", &misused("begins_with"));
    check(C, "a = :n AND attribute_exists((views), a) > b", &misused("attribute_exists"));
    check(U, "SET a = list_append(list_append(a, b), c)", &misused("list_append"));
    check(U, "SET a = list_append(a, list_append(b, c))", &misused("list_append"));
    let path = |function: &str| {
        format!("Operator or function requires a document path; operator or function: {function}")
    };
    check(C, "attribute_exists(:n)", &path("attribute_exists"));
    check(C, "(attribute_exists(:n)) AND a = b", &path("attribute_exists"));
    check(C, "NOT attribute_not_exists(:n)", &path("attribute_not_exists"));
    check(C, "attribute_not_exists(size(:s))", &path("attribute_not_exists"));
    check(C, "attribute_not_exists(size(a))", &path("attribute_not_exists"));
    check(U, "SET a = if_not_exists(:n, :n)", &path("if_not_exists"));
    let distinct = |operator: &str, path: &str| {
        format!(
            "The first operand must be distinct from the remaining operands for this operator or function; \
             operator: {operator}, first operand: {path}"
        )
    };
    check(C, "contains(a, #a)", &distinct("contains", "[a]"));
    check(C, "a.b[1] = a.b[1]", &distinct("=", "[a, b, [1]]"));
    check(C, "begins_with(#dot, #dot)", &distinct("begins_with", "[a.b]"));
}

#[test]
fn operand_types_of_conditions() {
    let wrong = |operator: &str, kind: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
        )
    };
    for (value, kind) in
        [(":bool", "BOOL"), (":null", "NULL"), (":l", "L"), (":m", "M"), (":ss", "SS"), (":ns", "NS")]
    {
        for operator in ["<", "<=", ">", ">="] {
            check(C, &format!("a {operator} {value}"), &wrong(operator, kind));
            check(C, &format!("{value} {operator} a"), &wrong(operator, kind));
        }
        check(C, &format!("a BETWEEN {value} AND :n"), &wrong("BETWEEN", kind));
        check(C, &format!("begins_with(a, {value})"), &wrong("begins_with", kind));
    }
    check(C, "begins_with(:n, a)", &wrong("begins_with", "N"));
    check(C, "size(:n) = :two", &wrong("size", "N"));
    check(C, "size(:bool) = :two", &wrong("size", "BOOL"));
    check(C, "NOT attribute_not_exists(size(:n))", &wrong("size", "N"));
    check(C, "attribute_type(a, :n)", &wrong("attribute_type", "N"));
    check(C, "attribute_type(a, size(a))", &wrong("attribute_type", "N"));
    check(C, "attribute_type(a, b)", &wrong("attribute_type", "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"));
    check(
        C,
        "attribute_type(a, :bad)",
        "Invalid attribute type name found; type: X, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
    );
    check(
        C,
        "a BETWEEN :two AND :n",
        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; \
         lower bound operand: AttributeValue: {N:2}, upper bound operand: AttributeValue: {N:1}",
    );
    check(
        F,
        "a BETWEEN :s AND :n",
        "The BETWEEN operator requires same data type for lower and upper bounds; \
         lower bound operand: AttributeValue: {S:text}, upper bound operand: AttributeValue: {N:1}",
    );
}

#[test]
fn operand_types_of_updates() {
    let wrong = |operator: &str, kind: &str| {
        format!(
            "Incorrect operand type for operator or function; operator or function: {operator}, operand type: {kind}"
        )
    };
    check(U, "SET a = a + :s", &wrong("+", "S"));
    check(U, "SET a = :m - a", &wrong("-", "M"));
    check(U, "SET a = list_append(a, :s)", &wrong("list_append", "S"));
    check(U, "SET a = if_not_exists(a, list_append(:n, :l))", &wrong("list_append", "N"));
    for (section, value, kind) in [
        ("ADD", ":s", "STRING"),
        ("ADD", ":b", "BINARY"),
        ("ADD", ":l", "LIST"),
        ("ADD", ":m", "MAP"),
        ("ADD", ":bool", "BOOLEAN"),
        ("ADD", ":null", "NULL"),
        ("DELETE", ":n", "NUMBER"),
        ("DELETE", ":s", "STRING"),
    ] {
        check(
            U,
            &format!("{section} a {value}"),
            &format!(
                "Incorrect operand type for operator or function; operator: {section}, operand type: {kind}, \
                 typeSet: ALLOWED_FOR_{section}_OPERAND"
            ),
        );
    }
}

#[test]
fn paths_keep_apart() {
    let clash = |how: &str, one: &str, two: &str| {
        format!(
            "Two document paths {how} with each other; must remove or rewrite one of these paths; \
             path one: {one}, path two: {two}"
        )
    };
    check(U, "SET a = :n, a = :two", &clash("overlap", "[a]", "[a]"));
    check(U, "SET a.b = :n REMOVE a", &clash("overlap", "[a, b]", "[a]"));
    check(U, "REMOVE a[1] ADD #a[1].b :n", &clash("overlap", "[a, [1]]", "[a, [1], b]"));
    check(U, "SET a.b = :n, a[1] = :n", &clash("conflict", "[a, b]", "[a, [1]]"));
    check(U, "SET a.b = :n, a[1] = :n, b.c = :n, a.c = :n REMOVE b", &clash("overlap", "[b, c]", "[b]"));
    check(U, "SET a.b = :n, a[1] = :n, a[2] = :n, a.c = :n", &clash("conflict", "[a, b]", "[a, [1]]"));
    check(P, "a, b, #a", &clash("overlap", "[a]", "[a]"));
    check(P, "a.b.c, a.b[0]", &clash("conflict", "[a, b, c]", "[a, b, [0]]"));
    assert!(Projection::parse("a.b, a.c, #dot, b", &names(&[("#dot", "a.b")])).is_ok());
}

#[test]
fn sections_come_once() {
    for (text, section) in [
        ("SET a = :n SET b = :n", "SET"),
        ("REMOVE a SET b = :n remove c", "REMOVE"),
        ("ADD a :n DELETE c :ss add b :n", "ADD"),
        ("DELETE a :ss DELETE b :ss", "DELETE"),
    ] {
        check(U, text, &format!("The \"{section}\" section can only be used once in an update expression;"));
    }
}

#[test]
fn redundant_parentheses() {
    for text in
        ["((a = :n))", "((a = :n)) AND b = :n", "NOT ((a = :n))", "((a)) = :n", "a BETWEEN ((:n)) AND :two"]
    {
        check(C, text, "The expression has redundant parentheses;");
    }
    check(K, "((a = :n))", "The expression has redundant parentheses;");
    for text in [
        "(a = :n)",
        "((a = :n) AND (b = :n))",
        "(a) = (:n)",
        "attribute_exists((a))",
        "a IN ((:n))",
        "size((a)) = :n",
        "(a = :n) OR (NOT (b = :n))",
    ] {
        let (_, values) = used(text, &names(&[]), &values());
        assert!(Condition::parse(text, &names(&[]), &values).is_ok(), "{text}");
    }
}

#[test]
fn the_order_of_findings() {
    check(C, "foo(status) AND a = :x", "Invalid function name; function: foo");
    check(C, "a < :bool AND b = :x", &super::super::parser::wrong_type("<", "BOOL"));
    check(C, "status = :x", "Attribute name is a reserved keyword; reserved keyword: status");
    check(
        U,
        "SET status = :x, a = :n SET b = :n",
        "Attribute name is a reserved keyword; reserved keyword: status",
    );
    check(
        U,
        "SET a = :x, a = :n",
        "An expression attribute value used in expression is not defined; attribute value: :x",
    );
}

#[test]
fn limits() {
    let long = format!("a = :n OR {}", "b".repeat(EXPRESSION_LEN_MAX));
    check(C, &long, "Expression size has exceeded the maximum allowed size;");
    let (_, one) = used(":n", &names(&[]), &values());
    let fits = format!("{} = :n", "b".repeat(EXPRESSION_LEN_MAX - 5));
    assert!(Condition::parse(&fits, &names(&[]), &one).is_ok());

    let many = |count: usize| vec!["a<:n"; count].join(" OR ");
    assert!(Condition::parse(&many(150), &names(&[]), &one).is_ok());
    check(C, &many(151), "The expression contains too many operators; operator count: 301");

    let list = |count: usize| format!("a IN ({})", vec![":n"; count].join(","));
    assert!(Condition::parse(&list(99), &names(&[]), &one).is_ok());
    check(C, &list(100), "The IN operator is provided with too many operands; number of operands: 101");

    let path = |levels: usize| vec!["a"; levels].join(".");
    assert!(Projection::parse(&path(32), &names(&[])).is_ok());
    check(P, &path(33), "The document path has too many nesting levels; nesting levels: 33");
    check(
        P,
        "a[99999999999999999999]",
        "List index is not within the allowable range; index: [99999999999999999999]",
    );
}

/// In a stack of a quarter of what a thread has by default.
#[test]
fn nothing_overflows_the_stack() {
    let deep = || {
        let half = EXPRESSION_LEN_MAX / 2;
        for piece in
            ["(", ")", "NOT ", "NOT (", "a(", "size(", "a[", "a.", "a=b AND (", "(a=", "[", "a IN (", "-"]
        {
            let text = piece.repeat(EXPRESSION_LEN_MAX / piece.len());
            let closed = format!("{}a{}", piece.repeat(half / piece.len()), ")".repeat(half / piece.len()));
            let update = format!("SET a = {}", piece.repeat((EXPRESSION_LEN_MAX - 8) / piece.len()));
            let sum = format!("SET a = {}a{}", "(a+".repeat(700), ")".repeat(700));
            for text in [text, closed, update, sum] {
                for kind in [C, F, K, P, U] {
                    assert_eq!(error(kind, &text).code(), "ValidationException");
                }
            }
        }
        let nested = format!("{}a=b{}", "a<b AND (".repeat(140), ")".repeat(140));
        let condition = Condition::parse(&nested, &names(&[]), &item! {}).unwrap();
        assert!(!condition.evaluate(&item! { "a" => 1 }));
        let negated = format!("{}a=b", "NOT ".repeat(298));
        assert!(!Condition::parse(&negated, &names(&[]), &item! {}).unwrap().evaluate(&item! {}));
    };
    std::thread::Builder::new().stack_size(512 << 10).spawn(deep).unwrap().join().unwrap();
}
