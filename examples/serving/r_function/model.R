model <- lm(mpg ~ wt + hp, mtcars)

predict <- function(wt, hp) {
  if (any(wt <= 0)) bad_request("A car weighs something.")
  stats::predict(model, data.frame(wt = wt, hp = hp))
}
