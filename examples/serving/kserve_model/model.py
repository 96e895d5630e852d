import argparse

from kserve import Model, ModelServer, model_server
from kserve.errors import InvalidInput
from kserve.utils.utils import get_predict_input, get_predict_response


class Celsius(Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    def preprocess(self, payload, headers=None):
        if isinstance(payload, dict) and not payload.get("instances"):
            raise InvalidInput("There are no temperatures.")
        return payload

    async def predict(self, payload, headers=None):
        return get_predict_response(payload, (get_predict_input(payload) - 32) * 5 / 9, self.name)


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    ModelServer().start([Celsius(args.model_name)])
