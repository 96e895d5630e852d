class Prices:
    """Estimates prices of flats from their size, and says why."""

    def __init__(self, model_dir: str):
        self.folder = model_dir  # your files are here

    def load(self):
        self.per_square_metre = {"Berlin": 5200, "Leipzig": 3100}

    def predict(self, city: str, size: float, balcony: bool = False) -> float:
        if city not in self.per_square_metre:
            raise ValueError(f"There are no prices of {city}.")  # the caller gets 400 with this sentence
        return self.per_square_metre[city] * size * (1.05 if balcony else 1)

    def explain(self, city: str, size: float, balcony: bool = False) -> dict:
        return {"per_square_metre": self.per_square_metre.get(city), "balcony": 1.05 if balcony else 1}
