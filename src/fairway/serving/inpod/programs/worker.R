# The R process behind `r_process.py`: it loads a program once, then answers one request after another.
#
# A message is the length of a JSON head (four bytes), the head, and then the columns that the head describes, as raw
# little-endian numbers; texts are in the head. Requests come on a pipe of their own and answers go on another, so that
# what a program prints is only printed. When the pipe of requests ends, so does this process.
#
# A program is a script with a function `predict` (and `explain`, `load`), or a model saved with saveRDS().

arguments <- commandArgs(trailingOnly = TRUE)
requests <- fifo(paste0("/dev/fd/", arguments[[1]]), open = "rb", blocking = TRUE)
answers <- fifo(paste0("/dev/fd/", arguments[[2]]), open = "wb", blocking = TRUE)
location <- arguments[[3]]

# What a program calls to say that the caller is wrong.
bad_request <- function(message) {
  stop(structure(class = c("bad_request", "error", "condition"), list(message = message, call = NULL)))
}

send <- function(head, columns = list()) {
  head <- charToRaw(enc2utf8(as.character(jsonlite::toJSON(head, auto_unbox = TRUE, null = "null", na = "null", digits = NA))))
  parts <- c(writeBin(length(head), raw(), size = 4L, endian = "little"), head)
  for (column in columns) parts <- c(parts, writeBin(column, raw(), endian = "little"))
  writeBin(parts, answers)
}

read_exactly <- function(size) {
  parts <- raw(0)
  while (length(parts) < size) {
    part <- readBin(requests, "raw", size - length(parts))
    if (length(part) == 0L) quit(save = "no", status = 0L)
    parts <- c(parts, part)
  }
  parts
}

receive <- function() {
  size <- readBin(read_exactly(4L), "integer", size = 4L, endian = "little")
  head <- jsonlite::fromJSON(rawToChar(read_exactly(size)), simplifyVector = FALSE)
  head$data <- list()
  for (column in head$columns) {
    n <- column$n
    values <- switch(column$type,
      double = readBin(read_exactly(8 * n), "double", n, endian = "little"),
      integer = readBin(read_exactly(4 * n), "integer", n, size = 4L, endian = "little"),
      logical = as.logical(readBin(read_exactly(4 * n), "integer", n, size = 4L, endian = "little")),
      character = vapply(column$values, function(value) if (is.null(value)) NA_character_ else value, ""))
    if (length(column$dim) == 2L) values <- matrix(values, nrow = column$dim[[1]], byrow = TRUE)
    head$data[[column$name]] <- values
  }
  head
}

# What the function is called with: the columns by name where it asks for them, otherwise one value.
called_with <- function(request, formals) {
  if (!is.null(request$body)) {
    if (length(formals) != 1L) bad_request("The function does not take a whole body.")
    return(list(request$body))
  }
  wanted <- names(formals)
  alone <- length(wanted) == 1L && identical(names(request$data), wanted)
  many <- length(wanted) > 1L && !(wanted[[1]] %in% c("data", "newdata", "x", "df", "rows"))
  needed <- setdiff(wanted[vapply(formals, function(default) identical(default, quote(expr = )), TRUE)], "...")
  if (!request$single && (alone || many)) {
    missing <- setdiff(needed, names(request$data))
    if (length(missing)) bad_request(paste0("The request has no ", paste(missing, collapse = ", "), "."))
    unknown <- setdiff(names(request$data), wanted)
    if (length(unknown) && !("..." %in% wanted)) {
      bad_request(paste0("The request has ", paste(unknown, collapse = ", "), ", which is not asked for."))
    }
    return(request$data)
  }
  if (request$single && many && length(needed) > 1L) {
    bad_request(paste0("The function asks for ", paste(needed, collapse = ", "), "; send each row as an object."))
  }
  if (request$single) return(list(request$data[[1]]))
  list(as.data.frame(request$data, check.names = FALSE, stringsAsFactors = FALSE))
}

described <- function(name, value) {
  if (is.factor(value)) value <- as.character(value)
  dim <- if (is.null(dim(value))) length(value) else dim(value)
  if (length(dim) > 1L) value <- aperm(value)  # row-major
  type <- if (is.character(value)) "character" else if (is.logical(value)) "logical" else if (is.integer(value)) "integer" else "double"
  column <- list(name = name, type = type, n = length(value), dim = I(as.integer(dim)))
  if (type == "character") column$values <- I(as.vector(value))
  list(column = column, data = switch(type, character = NULL, logical = as.integer(value), integer = as.integer(value), double = as.double(value)))
}

answer <- function(value) {
  columns <- if (is.data.frame(value)) as.list(value)
    else if (is.list(value) && length(value) && !is.null(names(value)) && all(vapply(value, function(v) is.atomic(v) && !is.null(v), TRUE))) value
    else if (is.atomic(value) && !is.null(value)) list(`output-0` = value)
    else NULL
  if (is.null(columns)) return(send(list(json = value)))
  frame <- is.data.frame(value)
  parts <- Map(described, names(columns), columns)
  send(
    list(columns = I(unname(lapply(parts, `[[`, "column"))), table = frame),
    Filter(Negate(is.null), lapply(parts, `[[`, "data")))
}

loaded <- function() {
  if (!requireNamespace("jsonlite", quietly = TRUE)) {
    writeLines("R needs the package jsonlite (Debian: r-cran-jsonlite).", stderr())
    quit(save = "no", status = 3L)
  }
  program <- new.env(parent = globalenv())
  setwd(dirname(location))
  if (grepl("[.]rds$", location, ignore.case = TRUE)) {
    model <- readRDS(location)
    program$columns <- tryCatch(all.vars(stats::delete.response(stats::terms(model))), error = function(e) character())
    type <- Sys.getenv("PREDICT_TYPE")
    program$predict <- function(newdata) {
      missing <- setdiff(program$columns, names(newdata))
      if (length(missing)) bad_request(paste0("The model wants the columns ", paste(missing, collapse = ", "), " too."))
      if (nzchar(type)) stats::predict(model, newdata, type = type) else stats::predict(model, newdata)
    }
    return(program)
  }
  sys.source(location, envir = program, chdir = FALSE)
  if (!exists("predict", envir = program, inherits = FALSE) || !is.function(program$predict)) {
    stop(paste0(basename(location), " has no function `predict`."))
  }
  if (exists("load", envir = program, inherits = FALSE)) program$load()
  program
}

main <- function() {
  program <- tryCatch(loaded(), error = function(failure) {
    send(list(failed = conditionMessage(failure)))
    quit(save = "no", status = 1L)
  })
  columns <- if (is.character(program$columns)) program$columns else character()
  formals <- names(formals(program$predict))
  send(list(ready = TRUE, columns = I(columns), arguments = I(formals), explains = is.function(program$explain)))
  repeat {
    request <- receive()
    tryCatch({
      step <- if (request$verb == "explain") program$explain else program$predict
      value <- do.call(step, called_with(request, formals(step)))
      answer(value)
    },
    bad_request = function(failure) send(list(status = 400L, message = conditionMessage(failure))),
    error = function(failure) {
      writeLines(paste0("Error: ", conditionMessage(failure), " in ", paste(deparse(conditionCall(failure)), collapse = " ")), stderr())
      send(list(status = 500L, message = conditionMessage(failure)))
    })
  }
}

main()
