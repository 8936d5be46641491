"""Clients for JavaScript, which bring tests of their own."""

import os
import unittest

from server import ServerTest


@unittest.skipUnless("FOURFOLD_NODE" in os.environ, "there is no Node 20")
class NodeTest(ServerTest):
    def test_clients(self):
        told = self.run_program("node", "--test", cwd=os.environ["FOURFOLD_NODE"])
        self.assertIn("pass 5", told)


if __name__ == "__main__":
    unittest.main()
