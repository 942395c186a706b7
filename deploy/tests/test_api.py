"""The API held against its own description by a stranger: schemathesis makes requests out of the OpenAPI document."""

import os
import re
import subprocess
import tempfile
import unittest

import package

# From deploy/prepare.sh.
SCHEMATHESIS = "/usr/local/lib/rstscope-test/venv/bin/schemathesis"
# Not: whether all that fits the patterns is taken. That a span is 3660 days at most and that values of filters are known
# words is said in words.
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method"
)


class Api(unittest.TestCase):
    def test_it_answers_as_its_description_says(self):
        with tempfile.TemporaryDirectory(prefix="rstscope-api.") as folder:
            environment = dict(os.environ, HOME=folder)
            demo = subprocess.Popen(
                [package.binary(), "demo", "--replay", "--page"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )
            try:
                address = next(filter(None, (re.search(r"http://[0-9.:]+", line) for line in demo.stdout)))[0]
                command = [
                    SCHEMATHESIS, "run", f"{address}/api/v1/openapi.json",
                    "--checks", CHECKS,
                    # The stream of what happens never ends; whoever is at home here needs no token for a session.
                    "--exclude-path", "/api/v1/live", "--exclude-path", "/api/v1/session",
                    "--phases", "examples,coverage,fuzzing", "--max-examples", "15",
                    "--seed", "1", "--rate-limit", "40/s", "--no-color",
                ]
                done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            finally:
                demo.terminate()
                demo.communicate()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"Tested: 2[0-9]", "nearly every address was asked")


if __name__ == "__main__":
    unittest.main()
