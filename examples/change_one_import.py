"""scikit-learn's estimators with another engine: one import changes, the program around it does not."""

from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from layerwise import MLPClassifier  # before: from sklearn.neural_network import MLPClassifier

x, y = load_digits(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, train_size=1000, random_state=0)

# Settings that are numbers are searched without compiling again: nine fits share one program.
search = GridSearchCV(
    make_pipeline(MinMaxScaler(), MLPClassifier((64,), early_stopping=True, random_state=0)),
    {"mlpclassifier__learning_rate_init": [0.001, 0.003, 0.01]},
    cv=3,
)
search.fit(x_train, y_train)
print(f"best setting: {search.best_params_}, accuracy on unseen digits: {search.score(x_test, y_test):.3f}")
assert search.score(x_test, y_test) > 0.95
