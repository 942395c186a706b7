"""Alert rules and dashboard, against a real Prometheus that scrapes a real sensor."""

import json
import pathlib
import re
import subprocess
import tempfile
import unittest
import urllib.parse

from appliance import ONE_LINE, installed, start
from links import inside
from machine import wait_until
from package import DEPLOY

RULES = DEPLOY / "prometheus/rstscope.rules.yml"
CASES = DEPLOY / "prometheus/rstscope.rules.test.yml"
DASHBOARD = DEPLOY / "grafana/rstscope.json"
# A sink, so that there are metrics of delivery; nobody listens.
WITH_SINK = ONE_LINE + 'sink = [{ kind = "otlp" }]\n'
CONFIGURATION = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: rstscope
    static_configs: [{targets: ["127.0.0.1:9477"]}]
"""


def promtool(*command):
    """promtool(1); fails with what it says."""
    checked = subprocess.run(
        ["promtool", *command], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert checked.returncode == 0, checked.stdout


def panels():
    """(title, expression) of everything that the dashboard asks."""
    board = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]
    return found + [(note["name"], note["expr"]) for note in board["annotations"]["list"]]


def metrics_of(expression):
    """The names of our metrics in an expression, without what histograms add to them."""
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\brst_\w+", expression)}


class Rules(unittest.TestCase):
    """What promtool says."""

    def test_every_alert_fires_in_its_case_and_in_no_other(self):
        promtool("check", "rules", RULES)
        promtool("test", "rules", CASES)
        alerts = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
        cases = set(re.findall(r"- name: (\w+)$", CASES.read_text(encoding="utf-8"), re.MULTILINE))
        self.assertEqual(alerts - cases, set())


class Dashboard(unittest.TestCase):
    """A sensor, some resets, and Prometheus beside it."""

    @classmethod
    def setUpClass(cls):
        cls.appliance = installed(WITH_SINK)
        cls.addClassCleanup(cls.appliance.__exit__, None, None, None)
        cls.links, cls.machine = cls.appliance.__enter__()
        start(cls.links, cls.machine)
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        configuration = pathlib.Path(folder.name, "prometheus.yml")
        configuration.write_text(CONFIGURATION % RULES, encoding="utf-8")
        command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={folder.name}/data"]
        command += ["--web.listen-address=127.0.0.1:9090", "--log.level=error"]
        cls.prometheus = subprocess.Popen(inside(cls.links.appliance, *command))
        cls.addClassCleanup(cls.prometheus.wait)
        cls.addClassCleanup(cls.prometheus.kill)
        wait_until("Prometheus scrapes the sensor", lambda: cls.query('up{job="rstscope"} == 1'))
        cls.links.make(3, 3)
        wait_until("the resets are counted", lambda: cls.query('sum(rst_events_total{impact="aborted"}) >= 3'), 60)
        # Rates are made of a handful of scrapes before and after.
        wait_until("there is something to make rates of", lambda: cls.query("count_over_time(rst_build_info[1h]) >= 8"))

    @classmethod
    def get(cls, url):
        """The body of a page in the sensor's namespace; empty while nobody answers."""
        command = inside(cls.links.appliance, "curl", "--silent", "--max-time", "5", url)
        return subprocess.run(command, check=False, capture_output=True, text=True).stdout

    @classmethod
    def query(cls, expression):
        """The result of an expression, or nothing while Prometheus is not there."""
        url = "http://127.0.0.1:9090/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        body = cls.get(url)
        if not body.startswith("{"):
            return None
        answer = json.loads(body)
        assert answer["status"] == "success", f"{expression}: {answer}"
        return answer["data"]["result"]

    def test_every_expression_of_the_dashboard_has_an_answer(self):
        for title, expression in panels():
            with self.subTest(title):
                asked = expression.replace("$instance", ".+").replace("$__rate_interval", "1m")
                self.assertNotIn("$", asked)
                answer = self.query(asked)
                self.assertTrue(answer or title in MAY_BE_EMPTY, f"no series: {asked}")

    def test_every_metric_that_is_asked_for_is_served(self):
        served = set(re.findall(r"^# TYPE (\w+)", self.get("http://127.0.0.1:9477/metrics"), re.MULTILINE))
        asked = {name for _, expression in panels() for name in metrics_of(expression)}
        asked |= metrics_of(" ".join(re.findall(r"expr: (.*?)\n\s+(?:for|labels):", RULES.read_text("utf-8"), re.S)))
        self.assertGreater(len(asked), 15)
        self.assertEqual(asked - served, set())

    def test_prometheus_evaluates_every_rule(self):
        url = "http://127.0.0.1:9090/api/v1/rules"

        def evaluated():
            groups = json.loads(self.get(url))["data"]["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            return rules if all(rule["health"] != "unknown" for rule in rules) else None

        for rule in wait_until("all rules were evaluated", evaluated):
            self.assertEqual(rule["health"], "ok", rule)


# There are series of these only when something happened: a start, a loss, a packet that is not TCP.
MAY_BE_EMPTY = {"Starts of the sensor", "Lost, by reason", "Not judged, by reason"}

if __name__ == "__main__":
    unittest.main()
