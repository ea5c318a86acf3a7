"""What must not appear in the product's code, found in its syntax trees."""

import ast
import re

import pytest

from tests.house import tree

CLOCKS = ("services/kit/clock.py",)
RANDOM = ("services/kit/ids.py", "agent/model/retry.py")  # seeded jitter of an adapter's waits
ENVIRONMENT = (
    "app/cli.py",
    "app/node.py",
    "app/wiring.py",
    "migrations/env.py",
    "services/kit/environment.py",
    "services/kit/failpoint.py",
    "app/http/server.py",
    "services/kit/process.py",
)
BROAD = ("app/", "services/kit/bus/")
BANNED_WORDS = re.compile(r"^(utils?|common|helpers?|core|managers?|misc)$")


def _calls(path):
    return [
        (node, tree.dotted(node.func))
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Call)
    ]


def _offenders(pattern, allowed):
    rule = re.compile(pattern)
    return [
        f"{tree.name_of(path)}:{node.lineno} {name}"
        for path in tree.product_files()
        if tree.name_of(path) not in allowed
        for node, name in _calls(path)
        if rule.search(name)
    ]


def test_only_the_clock_reads_the_time():
    assert (
        _offenders(
            r"(^|\.)(datetime\.(now|utcnow|today)|date\.today|time\.(time|time_ns|"
            r"monotonic|perf_counter))$",
            (*CLOCKS, "app/telemetry.py"),
        )
        == []
    )


def test_only_ids_draws_random_bytes():
    assert (
        _offenders(r"^(random\.|secrets\.(token|rand|choice)|uuid\.uuid|os\.urandom)", RANDOM) == []
    )


def test_rules_do_not_read_the_environment():
    found = [
        f"{tree.name_of(path)}:{node.lineno}"
        for path in tree.product_files()
        if tree.name_of(path) not in ENVIRONMENT
        for node in ast.walk(tree.parsed(path))
        if isinstance(node, ast.Attribute) and tree.dotted(node) in ("os.environ", "os.getenv")
    ]
    assert found == []


def test_no_broad_except_outside_doors_worker_and_bus():
    found = []
    for path in tree.product_files():
        if tree.name_of(path).startswith(BROAD):
            continue
        for node in ast.walk(tree.parsed(path)):
            if isinstance(node, ast.ExceptHandler):
                names = (
                    ["bare"]
                    if node.type is None
                    else [
                        tree.dotted(part)
                        for part in (
                            node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                        )
                    ]
                )
                if any(name in ("bare", "Exception", "BaseException") for name in names):
                    found.append(f"{tree.name_of(path)}:{node.lineno}")
    assert found == []


def test_a_broad_except_at_a_door_logs_with_the_traceback():
    found = []
    for path in tree.product_files():
        if not tree.name_of(path).startswith("app/"):
            continue
        for node in ast.walk(tree.parsed(path)):
            if (
                isinstance(node, ast.ExceptHandler)
                and node.type is not None
                and tree.dotted(node.type) in ("Exception", "BaseException")
            ):
                text = ast.unparse(node)
                if ".exception(" not in text and "raise" not in text:
                    found.append(f"{tree.name_of(path)}:{node.lineno}")
    assert found == []


def test_no_base_http_middleware():
    found = [
        tree.name_of(path)
        for path in tree.product_files()
        if "BaseHTTPMiddleware" in path.read_text() or '.middleware("http")' in path.read_text()
    ]
    assert found == []


@pytest.mark.fault("F045")
def test_the_order_submit_path_never_retries_by_library():
    """Only the client that reads from providers asks again, and no room of orders knows it."""
    reader = "services/kit/http.py"
    retrying = {
        tree.name_of(path)
        for path in tree.product_files()
        if tree.name_of(path).startswith(("services/orders/", "services/kit/"))
        and "tenacity" in path.read_text()
    }
    assert retrying <= {reader}
    knowing = [
        tree.name_of(path)
        for path in tree.product_files()
        if tree.name_of(path).startswith("services/orders/")
        and "services.kit.http" in path.read_text()
    ]
    assert knowing == []


def test_money_code_has_no_float_and_no_assert():
    found = []
    for path in tree.product_files():
        name = tree.name_of(path)
        if name.startswith(("services/ledger/", "services/orders/", "services/trade/")):
            found += [
                f"{name}:{node.lineno} float"
                for node, called in _calls(path)
                if called == "float" and name != "services/ledger/performance_math.py"
            ]
        found += [
            f"{name}:{node.lineno} assert"
            for node in ast.walk(tree.parsed(path))
            if isinstance(node, ast.Assert)
        ]
    assert found == []


def test_decimals_are_never_made_from_floats():
    found = [
        f"{tree.name_of(path)}:{node.lineno}"
        for path in tree.product_files()
        for node, name in _calls(path)
        if name in ("Decimal", "D")
        and node.args
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, float)
    ]
    assert found == []


def test_rules_do_not_iterate_over_sets():
    found = []
    for path in tree.product_files():
        for node in ast.walk(tree.parsed(path)):
            loops = [node.iter] if isinstance(node, (ast.For, ast.comprehension)) else []
            found += [
                f"{tree.name_of(path)}:{loop.lineno}"
                for loop in loops
                if isinstance(loop, (ast.Set, ast.SetComp))
                or (isinstance(loop, ast.Call) and tree.dotted(loop.func) in ("set", "frozenset"))
            ]
    assert found == []


def test_no_vague_file_names():
    assert [
        tree.name_of(path)
        for path in tree.product_files()
        if BANNED_WORDS.match(path.stem) or BANNED_WORDS.match(path.parent.name)
    ] == []


def test_packages_hold_a_docstring_only():
    found = [
        tree.name_of(path)
        for path in tree.product_files()
        if path.name == "__init__.py" and len(tree.parsed(path).body) != 1
    ]
    assert found == []


def test_every_file_says_in_its_first_line_what_it_owns():
    assert [
        tree.name_of(path)
        for path in tree.product_files()
        if not ast.get_docstring(tree.parsed(path))
    ] == []


def test_no_unfinished_work_is_left():
    mark = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError")
    assert [
        tree.name_of(path) for path in tree.product_files() if mark.search(path.read_text())
    ] == []


def test_the_page_never_writes_html_from_text():
    page = list((tree.ROOT / "app" / "web").glob("*.js"))
    banned = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|unsafeHTML|eval\(")
    assert page
    assert [path.name for path in page if banned.search(path.read_text())] == []
